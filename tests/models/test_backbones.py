"""Backbones compute what their publishers' networks do, from the publishers' files.

The files are made here, in their layout and with random weights. What holds for every
model of the zoo is in tests/conformance.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from iqa_zoo import registry
from iqa_zoo.arrays import read_keras_h5
from iqa_zoo.errors import WeightsError
from iqa_zoo.images import fit_image, read_image
from iqa_zoo.models import nima
from iqa_zoo.models.backbones import (
    inception_resnet_v2,
    inception_v2,
    mobilenet,
    vgg16,
)
from tests.helpers.layouts import keras_h5

applications = keras.applications


@pytest.fixture(scope="module")
def photo(photos):
    """A function from a side in pixels to a photo, float32 (1, side, side, 3)."""
    pixels = read_image(photos / "chelsea.jpg")
    return lambda side: fit_image(pixels, (side, side))[None].astype("float32")


def backbone(features):
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(image, features(image))


def shake(network, images):
    """Give every array values of its own, and let a signal through the whole depth."""
    random = np.random.default_rng(2)
    for variable in network.variables:
        if variable.name in ("beta", "bias"):
            variable.assign(random.normal(0, 0.1, variable.shape))
        elif variable.name == "gamma":
            variable.assign(random.uniform(0.7, 1.3, variable.shape))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(images, training=True)


def published(network):
    """A network's arrays by "LAYER/WEIGHT", as older Keras called them."""
    arrays = {}
    for layer in network.layers:
        for weight in layer.weights:
            name = weight.name
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                name = "depthwise_kernel"
            if "seed" not in weight.path:
                arrays[f"{layer.name}/{name}"] = weight.numpy()
    return arrays


def filled(features, arrays):
    ours = backbone(features)
    registry.fill(ours, arrays, "the file")  # every variable, and nothing else
    return ours


def check_same(ours, theirs, images, given):
    """The same features, which vary over the photo and between channels."""
    expected = np.asarray(theirs(given, training=False))
    found = np.asarray(ours(images, training=False))
    assert expected.std() > 1e-3 * np.abs(expected).max() > 0
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )


# --- through files of older Keras -----------------------------------------------------


@pytest.fixture(scope="module")
def idealos(photo):
    """idealo's network with random weights, and its arrays."""
    base = applications.MobileNet(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    x = keras.layers.Dropout(0.75)(base.output)
    network = keras.Model(base.input, keras.layers.Dense(10, "softmax")(x))
    shake(network, applications.mobilenet.preprocess_input(photo(224)))
    return network, published(network)


def test_mobilenet(idealos, photo):
    network, held = idealos
    arrays = read_keras_h5(keras_h5(held), "mobilenet.h5")
    arrays = {k: v for k, v in arrays.items() if not k.startswith("dense")}
    theirs = keras.Model(network.input, network.get_layer("conv_pw_13_relu").output)
    ours = filled(mobilenet.features, mobilenet.from_keras(arrays))
    given = applications.mobilenet.preprocess_input(photo(224))
    check_same(ours, theirs, photo(224), given)


def test_idealo(idealos, photo):
    network, held = idealos
    arrays = read_keras_h5(keras_h5(held), "aesthetic.hdf5")
    assert len(arrays) == 137
    ours = nima.mobilenet(size=(224, 224))
    registry.fill(ours, nima.from_idealo(arrays), "aesthetic.hdf5")
    given = applications.mobilenet.preprocess_input(photo(224))
    np.testing.assert_allclose(
        ours(photo(224), training=False),
        network(given, training=False),
        rtol=1e-4,
    )


def test_idealo_with_another_head(idealos):
    _, arrays = idealos
    more = {"dense_7/kernel": np.zeros((1024, 5)), "dense_7/bias": np.zeros(5)}
    with pytest.raises(WeightsError, match="139 arrays"):
        nima.from_idealo(arrays | more)
    less = {k: v for k, v in arrays.items() if not k.startswith("dense")}
    with pytest.raises(WeightsError, match="135 arrays"):
        nima.from_idealo(less)
    with pytest.raises(KeyError, match="conv_dw_3/depthwise_kernel"):
        nima.from_idealo({k: v for k, v in arrays.items() if "conv_dw_3/" not in k})


def old_vgg(network):
    """VGG16's arrays under the names that its published file has."""
    held = {}
    for name, array in published(network).items():
        layer, _, weight = name.partition("/")
        held[f"{layer}/{layer}_{'W' if weight == 'kernel' else 'b'}_1"] = array
    return held


def test_vgg16_features(photo):
    theirs = applications.VGG16(
        weights=None, include_top=False, input_shape=(224, 224, 3)
    )
    given = applications.vgg16.preprocess_input(photo(224))
    shake(theirs, given)
    arrays = vgg16.from_keras(read_keras_h5(keras_h5(old_vgg(theirs)), "vgg16.h5"))
    check_same(filled(vgg16.features, arrays), theirs, photo(224), given)
    # Files of newer Keras hold the same.
    again = vgg16.from_keras(read_keras_h5(keras_h5(published(theirs)), "vgg16.h5"))
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def vgg16_arrays(*widths):
    """Zeros in the shapes of VGG16's convolutions, then dense layers of `widths`."""
    random = np.random.default_rng(4)
    arrays, below = {}, 3
    for block, (channels, repeats) in enumerate(vgg16.BLOCKS, 1):
        for repeat in range(1, repeats + 1):
            name = f"block{block}_conv{repeat}"
            arrays[f"{name}/kernel"] = np.zeros((3, 3, below, channels))
            arrays[f"{name}/bias"] = np.zeros(channels)
            below = channels
    below *= 49
    for name, width in zip(("fc1", "fc2", "predictions"), widths, strict=True):
        arrays[f"{name}/kernel"] = random.normal(size=(below, width))
        arrays[f"{name}/bias"] = random.normal(size=width)
        below = width
    return arrays


def test_vgg16_fully_connected_layers_become_convolutions():
    arrays = vgg16_arrays(6, 4, 10)
    converted = vgg16.fc7_from_keras(arrays)
    assert not any("predictions" in name for name in converted)
    x = np.random.default_rng(5).normal(size=(1, 7, 7, 512))
    expected = x.reshape(1, -1) @ arrays["fc1/kernel"] @ arrays["fc2/kernel"]
    found = x
    for name in ("fc6", "fc7"):
        found = tf.nn.conv2d(found, converted[f"{name}/kernel"], 1, "VALID")
        np.testing.assert_array_equal(
            converted[f"{name}/bias"], arrays[f"fc{int(name[2]) - 5}/bias"]
        )
    np.testing.assert_allclose(np.ravel(found), np.ravel(expected), rtol=1e-9)


@pytest.mark.slow
def test_vgg16_with_its_fully_connected_layers(photo):
    theirs = applications.VGG16(weights=None)
    shake(theirs, applications.vgg16.preprocess_input(photo(224)))
    arrays = read_keras_h5(keras_h5(old_vgg(theirs)), "vgg16.h5")
    ours = filled(vgg16.fc7, vgg16.fc7_from_keras(arrays))
    del arrays
    fc2 = theirs.get_layer("fc2").output
    theirs = keras.Model(theirs.input, keras.layers.Reshape((1, 1, 4096))(fc2))
    given = applications.vgg16.preprocess_input(photo(224))
    check_same(ours, theirs, photo(224), given)


def test_vgg16_lacks_a_layer():
    arrays = vgg16_arrays(6, 4, 10)
    del arrays["fc2/bias"]
    with pytest.raises(KeyError, match="fc2"):
        vgg16.fc7_from_keras(arrays)


@pytest.mark.slow
def test_inception_resnet_v2(photo):
    keras.layers.Conv2D(1, 1)  # so that the numbers do not start at the first
    theirs = applications.InceptionResNetV2(
        weights=None, include_top=False, input_shape=(299, 299, 3)
    )
    given = applications.inception_resnet_v2.preprocess_input(photo(299))
    shake(theirs, given)
    arrays = read_keras_h5(keras_h5(published(theirs)), "inception_resnet_v2.h5")
    ours = filled(inception_resnet_v2.features, inception_resnet_v2.from_keras(arrays))
    check_same(ours, theirs, photo(299), given)


def test_inception_resnet_v2_lacks_a_layer():
    arrays = {"conv2d/kernel": np.zeros(1), "batch_normalization_9/beta": np.zeros(1)}
    with pytest.raises(WeightsError, match=r"has 203 of each"):
        inception_resnet_v2.from_keras(arrays)


# --- through TF-slim's names ----------------------------------------------------------

# What TF-slim's nets/inception_v2.py says of its blocks: for each branch the channels
# of its convolutions, whose scopes are in SCOPES.
MIXED = {
    "3b": ([64], [64, 64], [64, 96, 96], [32]),
    "3c": ([64], [64, 96], [64, 96, 96], [64]),
    "4a": ([128, 160], [64, 96, 96]),
    "4b": ([224], [64, 96], [96, 128, 128], [128]),
    "4c": ([192], [96, 128], [96, 128, 128], [128]),
    "4d": ([160], [128, 160], [128, 160, 160], [96]),
    "4e": ([96], [128, 192], [160, 192, 192], [96]),
    "5a": ([128, 192], [192, 256, 256]),
    "5b": ([352], [192, 320], [160, 224, 224], [128]),
    "5c": ([352], [192, 320], [192, 224, 224], [128]),
}
SCOPES = {
    2: (["0a_1x1", "1a_3x3"], ["0a_1x1", "0b_3x3", "1a_3x3"]),
    4: (["0a_1x1"], ["0a_1x1", "0b_3x3"], ["0a_1x1", "0b_3x3", "0c_3x3"], ["0b_1x1"]),
}


def slim_arrays():
    """Random arrays under the names and in the shapes of TF-slim's checkpoint."""
    random = np.random.default_rng(6)
    stem = "InceptionV2/Conv2d_1a_7x7"
    arrays = {
        f"{stem}/depthwise_weights": random.normal(0, 0.1, (7, 7, 3, 8)),
        f"{stem}/pointwise_weights": random.normal(0, 0.3, (1, 1, 24, 64)),
        f"{stem}/biases": random.normal(0, 0.1, 64),
    }

    def add(scope, below, channels):
        name, side = f"InceptionV2/{scope}", int(scope[-1])
        deviation = (2 / (side * side * below)) ** 0.5
        shape = (side, side, below, channels)
        arrays[f"{name}/weights"] = random.normal(0, deviation, shape)
        for part in ("beta", "moving_mean"):
            arrays[f"{name}/BatchNorm/{part}"] = random.normal(0, 0.1, channels)
        variance = random.uniform(0.5, 1.5, channels)
        arrays[f"{name}/BatchNorm/moving_variance"] = variance
        return channels

    below = add("Conv2d_2b_1x1", 64, 64)
    below = add("Conv2d_2c_3x3", below, 192)
    for block, widths in MIXED.items():
        out = below if len(widths) == 2 else 0
        for branch, channels in enumerate(widths):
            x = below
            for scope, width in zip(SCOPES[len(widths)][branch], channels, strict=True):
                x = add(f"Mixed_{block}/Branch_{branch}/Conv2d_{scope}", x, width)
            out += x
        below = out
    return {name: array.astype("float32") for name, array in arrays.items()}


def slim(arrays, image):
    """TF-slim's network by bare operations; the arrays' names say what is done."""

    def conv(x, name, stride=1):
        x = tf.nn.conv2d(x, arrays[f"{name}/weights"], stride, "SAME")
        beta, mean, variance = (
            arrays[f"{name}/BatchNorm/{part}"]
            for part in ("beta", "moving_mean", "moving_variance")
        )
        return tf.nn.relu((x - mean) / np.sqrt(variance + 1e-3) + beta)

    top = "InceptionV2"
    stem = [
        arrays[f"{top}/Conv2d_1a_7x7/{part}"]
        for part in ("depthwise_weights", "pointwise_weights", "biases")
    ]
    x = image / 127.5 - 1
    x = tf.nn.separable_conv2d(x, stem[0], stem[1], [1, 2, 2, 1], "SAME")
    x = tf.nn.max_pool2d(tf.nn.relu(x + stem[2]), 3, 2, "SAME")
    x = conv(conv(x, f"{top}/Conv2d_2b_1x1"), f"{top}/Conv2d_2c_3x3")
    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    for block, widths in MIXED.items():
        parts = []
        for branch in range(len(widths)):
            prefix = f"{top}/Mixed_{block}/Branch_{branch}/"
            kernels = [name for name in arrays if name.startswith(prefix)]
            names = sorted(n[:-8] for n in kernels if n.endswith("/weights"))
            y = x
            if branch == 3:
                pool = tf.nn.max_pool2d if block == "5c" else tf.nn.avg_pool2d
                y = pool(x, 3, 1, "SAME")
            for name in names:
                y = conv(y, name, 2 if "Conv2d_1a" in name else 1)
            parts.append(y)
        if len(widths) == 2:
            parts.append(tf.nn.max_pool2d(x, 3, 2, "SAME"))
        x = tf.concat(parts, 3)
    return x


def test_inception_v2(photo):
    arrays = slim_arrays()
    assert sum(array.size for array in arrays.values()) == 10173112
    ours = filled(inception_v2.features, inception_v2.from_slim(arrays))

    def theirs(image, training):
        return slim(arrays, image)

    check_same(ours, theirs, photo(224), photo(224))
