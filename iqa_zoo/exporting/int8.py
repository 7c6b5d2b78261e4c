"""Networks in 8 bits: pixels in, float32 shares out.

Weights are rounded per output channel and maps per tensor, as LiteRT defines it. What
follows the convolutions (pooling, head, softmax, kernel head) stays float32: it costs
next to nothing, and small shares and logits do not survive 8 bits.

Rounded weights move the mean of what a layer gives, and the shifts of many layers add
up: without more, MobileNetV2's scores fall by most of a point. So each layer's bias is
set anew, one layer after the other, until the mean of every channel over real photos is
that of the float network (bias correction; Nagel et al., Data-free quantization through
weight equalization and bias correction, ICCV 2019). Ranges are the photos' own
extremes: clipping them makes scores worse. They go into the graph as nodes of fake
quantisation, from which the converter takes them; its own calibration knows no bias
correction.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from iqa_zoo.errors import UsageError

# So many photos at a time, 1.5 GB at 500x500, and so many in all: more change nothing.
_BATCH, _PHOTOS = 8, 32
# Newton's steps to the bias at which the mean of an activation is right.
_STEPS = 4
# Of maps with a longer side every so many rows and columns are enough for means.
_SIDE = 64

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
# What may follow a convolution to be one with it, in this order.
_FUSED = (layers.BatchNormalization, layers.Activation)
# They change nothing in a finished network.
_PASSED = (layers.Identity, layers.Dropout)


class Found(NamedTuple):
    """What photos say of a network's layers.

    Attributes:
        ranges: lowest and highest value by the name of the layer whose output gets 8
            bits.
        shifts: what each convolution's bias gets added, by its name, (channels,).
    """

    ranges: Mapping[str, tuple[float, float]]
    shifts: Mapping[str, np.ndarray]


class _Step(NamedTuple):
    """A layer; of a convolution with what is fused into it."""

    layer: keras.Layer
    norm: keras.Layer | None
    activation: keras.Layer | None
    inputs: list[int]
    output: int


def measured(network: keras.Model, photos: Iterable[np.ndarray]) -> Found:
    """Ranges and shifts of a network of convolutions.

    Args:
        network: a rescaling of its pixels, then convolutions, batch normalisations,
            activations and additions; then anything that LiteRT has.
        photos: of its size, uint8 (height, width, 3); the first 32 are used.

    Raises:
        UsageError: the network is not such a one.
    """
    first = network.layers[1]
    if (
        not isinstance(first, layers.Rescaling)
        or np.ndim(first.offset)
        or np.ndim(first.scale)
    ):
        raise UsageError(
            f"{network.name} cannot have 8 bits: its first layer is not one rescaling "
            "of all channels. Export it as float16."
        )
    chosen, found = islice(photos, _PHOTOS), []
    while batch := list(islice(chosen, _BATCH)):
        found.append(_side_by_side(network, np.stack(batch).astype(np.float32)))
    return Found(
        {
            name: tuple(np.mean([part.ranges[name] for part in found], 0).tolist())
            for name in found[0].ranges
        },
        {
            name: np.mean([part.shifts[name] for part in found], 0)
            for name in found[0].shifts
        },
    )


def fake_quantised(network: keras.Model, found: Found, *, raw: bool) -> keras.Model:
    """A network that rounds as its file will, with the shifts in its biases.

    Args:
        network: of a static size.
        found: what photos say of it.
        raw: whether the file's input is the pixels themselves, whose 8 bits stand for
            rescaled numbers; else they come as float32, 0 to 255, from layers before.
    """
    # One input, and no list of one, which cloning tells apart.
    network = keras.Model(network.inputs[0], network.output, name=network.name)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for step in _steps(copy):
        shift = found.shifts.get(step.layer.name)
        if shift is not None:
            bias = step.layer.bias if step.norm is None else step.norm.beta
            bias.assign_add(shift)

    def call(layer: keras.Layer, *inputs: Any, **arguments: Any) -> Any:
        if isinstance(layer, _PASSED):
            return inputs[0]
        if layer.name in found.ranges:
            rescales = isinstance(layer, layers.Rescaling) and raw
            x = inputs[0] if rescales else layer(*inputs, **arguments)
            return _FakeQuantisation(*found.ranges[layer.name])(x)
        if not isinstance(layer, (*CONVOLUTIONS, layers.BatchNormalization)):
            # The converter would average maps in 8 bits. What is added, which changes
            # nothing, it leaves in float32.
            inputs = tf.nest.map_structure(
                lambda x: x + 1e-12 if len(x.shape) == 4 else x, inputs
            )
        return layer(*inputs, **arguments)

    size = network.input_shape[1:]
    image = keras.Input(size, batch_size=1, name="image")
    return keras.models.clone_model(copy, image, lambda layer: layer, call)


class _FakeQuantisation(layers.Layer):
    """Rounds to 256 steps between two numbers."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def call(self, x: Any) -> Any:
        return _rounded_map(x, (self.low, self.high))


def _side_by_side(network: keras.Model, images: np.ndarray) -> Found:
    """What one batch of images, float32 (batch, height, width, 3), says.

    The network and its 8-bit simulation run one layer after the other.
    """
    given = id(network.inputs[0])
    real = {given: tf.constant(images)}
    rounded = dict(real)
    ranges: dict[str, tuple[float, float]] = {}
    shifts: dict[str, np.ndarray] = {}
    steps = list(_steps(network))
    for index, (layer, norm, activation, inputs, output) in enumerate(steps):
        if any(key not in real for key in inputs):
            if isinstance(layer, CONVOLUTIONS):
                raise UsageError(
                    f"{network.name} cannot have 8 bits: before {layer.name} comes a "
                    "layer that would stay float32. Export it as float16."
                )
            continue
        x, q = ([side[key] for key in inputs] for side in (real, rounded))
        name = (activation or norm or layer).name
        if isinstance(layer, layers.Rescaling):
            real[output] = layer(x[0])
            scale = float(layer.scale)
            zero = round(-float(layer.offset) / scale)
            ranges[name] = (-zero * scale, (255 - zero) * scale)
            rounded[output] = (q[0] - zero) * scale
        elif isinstance(layer, CONVOLUTIONS):
            _check_plain(layer, network.name)
            kernel, bias = _folded(layer, norm)
            act = activation or tf.identity
            real[output] = act(_convolved(layer, x[0], kernel) + bias)
            sums = _convolved(layer, q[0], _rounded_kernel(layer, kernel)) + bias
            shift = _shift(real[output], sums, activation)
            shifts[layer.name] = shift.numpy()
            rounded[output] = act(sums + shift)
        elif isinstance(layer, _PASSED):
            real[output], rounded[output] = x[0], q[0]
        elif isinstance(layer, layers.Add):
            real[output], rounded[output] = tf.add_n(x), tf.add_n(q)
        else:
            continue  # it stays float32
        if isinstance(layer, (*CONVOLUTIONS, layers.Add)):
            low, high = (f(real[output]) for f in (tf.reduce_min, tf.reduce_max))
            ranges[name] = (min(float(low), 0.0), max(float(high), 1e-6))
            rounded[output] = _rounded_map(rounded[output], ranges[name])
        later = {key for step in steps[index + 1 :] for key in step.inputs}
        for side in (real, rounded):
            for key in side.keys() - later:
                del side[key]
    return Found(ranges, shifts)


def _steps(network: keras.Model) -> Iterator[_Step]:
    users: dict[int, list[keras.Layer]] = {}
    for layer in network.layers:
        for tensor in tf.nest.flatten(layer.input):
            users.setdefault(id(tensor), []).append(layer)
    done = set()
    for layer in network.layers:
        if layer.name in done or isinstance(layer, layers.InputLayer):
            continue
        fused: list[keras.Layer | None] = [None, None]
        tensor = layer.output
        if isinstance(layer, CONVOLUTIONS):
            for place, kind in enumerate(_FUSED):
                after = users.get(id(tensor), [])
                if len(after) == 1 and isinstance(after[0], kind):
                    fused[place], tensor = after[0], after[0].output
                    done.add(after[0].name)
        inputs = [id(tensor) for tensor in tf.nest.flatten(layer.input)]
        yield _Step(layer, *fused, inputs, id(tensor))


def _check_plain(layer: keras.Layer, name: str) -> None:
    """Raise UsageError for a convolution that is computed otherwise than here."""
    if (
        layer.activation is not keras.activations.linear
        or set(layer.dilation_rate) != {1}
        or getattr(layer, "groups", 1) != 1
    ):
        raise UsageError(
            f"{name} cannot have 8 bits: {layer.name} has groups, a dilation or an "
            "activation of its own. Export it as float16."
        )


def _shift(wanted: Any, sums: Any, activation: keras.Layer | None) -> Any:
    """What `sums` need for the means of their channels, activated, to be `wanted`'s."""
    every = max(1, wanted.shape[1] // _SIDE)
    wanted, sums = (x[:, ::every, ::every] for x in (wanted, sums))
    axes = (0, 1, 2)
    mean = tf.reduce_mean(wanted, axes)
    if activation is None:
        return mean - tf.reduce_mean(sums, axes)
    shift = tf.zeros(sums.shape[-1])
    # Newton's method, the slope from a difference; where hardly anything is active, and
    # the slope next to nothing, its steps are held small.
    for _ in range(_STEPS):
        now = activation(sums + shift)
        slope = tf.reduce_mean(activation(sums + shift + 0.01) - now, axes) / 0.01
        step = (mean - tf.reduce_mean(now, axes)) / tf.maximum(slope, 0.02)
        shift += tf.clip_by_value(step, -0.5, 0.5)
    return shift


def _folded(
    layer: keras.Layer, norm: keras.Layer | None
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution and its batch normalisation as one."""
    kernel = layer.kernel.numpy()
    bias = layer.bias.numpy() if layer.use_bias else np.float32(0)
    if norm is None:
        return kernel, bias
    gain = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    if norm.scale:
        gain = gain * norm.gamma.numpy()
    shift = norm.beta.numpy() if norm.center else np.float32(0)
    bias = (bias - norm.moving_mean.numpy()) * gain + shift
    deep = isinstance(layer, layers.DepthwiseConv2D)
    kernel = kernel * (gain[:, np.newaxis] if deep else gain)
    return kernel.astype(np.float32), bias.astype(np.float32)


def _rounded_kernel(layer: keras.Layer, kernel: np.ndarray) -> np.ndarray:
    """Rounded to 255 steps a channel, as the converter does."""
    channel = 2 if isinstance(layer, layers.DepthwiseConv2D) else 3
    others = tuple({0, 1, 2, 3} - {channel})
    step = np.maximum(np.abs(kernel).max(others, keepdims=True) / 127, 1e-12)
    return (np.round(kernel / step) * step).astype(np.float32)


def _rounded_map(x: Any, between: tuple[float, float]) -> Any:
    return tf.quantization.fake_quant_with_min_max_vars(x, *between)


def _convolved(layer: keras.Layer, x: Any, kernel: np.ndarray) -> Any:
    deep = isinstance(layer, layers.DepthwiseConv2D)
    run = tf.nn.depthwise_conv2d if deep else tf.nn.conv2d
    return run(x, kernel, (1, *layer.strides, 1), layer.padding.upper())
