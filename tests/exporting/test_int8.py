"""Networks in 8 bits: what photos say of them, and those that cannot have them."""

import numpy as np
import pytest

from iqa_zoo.errors import UsageError
from iqa_zoo.exporting import int8
from tests.exporting.conftest import SIZE, build, fitted

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def images(photos):
    return fitted(photos, SIZE)


@pytest.fixture(scope="module")
def found(convolutions, images):
    return int8.measured(convolutions, images)


def test_ranges_and_shifts_of_every_layer(convolutions, found):
    import keras

    names = {
        layer.name
        for layer in convolutions.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    }
    assert set(found.shifts) == names and len(names) == 8
    for name, shift in found.shifts.items():
        assert shift.shape == (convolutions.get_layer(name).output.shape[-1],)
        assert np.isfinite(shift).all() and np.abs(shift).max() < 0.5
    rescaling = convolutions.layers[1].name
    assert {rescaling, "stem_relu6", "a_out", "b_project_bn"} <= set(found.ranges)
    assert all(low <= 0 < high for low, high in found.ranges.values())
    low, high = found.ranges[rescaling]
    assert (high - low) / 255 == pytest.approx(1 / 127.5)
    assert 0 <= found.ranges["stem_relu6"][1] <= 6


@pytest.mark.slow
def test_shifts_keep_the_means_of_channels(convolutions, images, entry):
    """Those of the last map, into which all roundings went, in the file itself."""
    from iqa_zoo.engines.litert import LiteRT
    from iqa_zoo.exporting.graphs import Subject
    from iqa_zoo.exporting.to_tflite import tflite

    network = build(has_head=False)
    network.set_weights(convolutions.get_weights()[:-2])
    found = int8.measured(network, images)
    wanted = network(images.astype(np.float32), training=False).numpy().mean(0)
    off = {}
    for kind, shifts in (("kept", found.shifts), ("moved", {})):
        content = tflite(
            Subject(entry, network, SIZE),
            "int8",
            reduce=False,
            found=found._replace(shifts=shifts),
        )
        means = LiteRT(content, "distribution", kind).predict(images).mean(0)
        off[kind] = np.abs(means - wanted)
    print({kind: (values.mean(), values.max()) for kind, values in off.items()})
    assert off["kept"].mean() < 0.5 * off["moved"].mean()


def test_the_network_itself_is_left_alone(convolutions, found, images):
    before = [weights.copy() for weights in convolutions.get_weights()]
    int8.fake_quantised(convolutions, found, raw=True)
    for old, new in zip(before, convolutions.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_first_32_photos_are_enough(convolutions):
    """No more are read."""
    random = np.random.default_rng(1)
    read = []

    def photos():
        for number in range(40):
            read.append(number)
            yield random.integers(0, 256, (*SIZE, 3), np.uint8)

    int8.measured(convolutions, photos())
    assert len(read) == 32


def refused(layers, images, match):
    import keras

    image = keras.Input((*SIZE, 3), name="image")
    x = image
    for layer in layers:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(image, keras.layers.Dense(10, "softmax")(x), name="odd")
    with pytest.raises(UsageError, match=match) as caught:
        int8.measured(network, images)
    assert "odd cannot have 8 bits" in str(caught.value)
    assert "float16" in str(caught.value)


def test_no_rescaling(images):
    from keras import layers

    refused([layers.Conv2D(4, 3)], images, "first layer is not one rescaling")


def test_a_rescaling_of_each_channel(images):
    from keras import layers

    each = layers.Rescaling([1 / 255] * 3, [0.1, 0.2, 0.3])
    refused([each, layers.Conv2D(4, 3)], images, "first layer is not one rescaling")


@pytest.mark.parametrize("kind", ["MaxPooling2D", "ZeroPadding2D", "Concatenate"])
def test_a_layer_of_another_kind_before_a_convolution(images, kind):
    from keras import layers

    odd = getattr(layers, kind)
    odd = (lambda x: odd_()([x, x])) if kind == "Concatenate" else odd()
    odd_ = layers.Concatenate
    chain = [layers.Rescaling(1 / 255), layers.Conv2D(4, 3, name="low"), odd]
    refused([*chain, layers.Conv2D(4, 3, name="high")], images, "before high comes")


@pytest.mark.parametrize(
    "more", [{"activation": "relu"}, {"dilation_rate": 2}, {"groups": 3}], ids=str
)
def test_a_convolution_that_does_more(images, more):
    from keras import layers

    odd = layers.Conv2D(6, 3, name="low", **more)
    refused([layers.Rescaling(1 / 255), odd], images, "low has groups, a dilation")
