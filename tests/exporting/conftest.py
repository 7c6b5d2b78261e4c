"""Small networks whose scores differ from photo to photo, ready to be exported."""

import numpy as np
import pytest

from iqa_zoo import registry
from iqa_zoo.images import fit_image, read_image
from tests.helpers import small, tiny

SIZE = (48, 64)  # height and width of the network of convolutions


def fitted(folder, size) -> np.ndarray:
    """The example photos at a size, uint8 (photos, height, width, 3)."""
    return np.stack(
        [fit_image(read_image(path), size) for path in sorted(folder.glob("*.jpg"))]
    )


def settle(network, images) -> None:
    """Give a new network the statistics of `images`, and answers that are apart."""
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(images.astype(np.float32), training=True)
    random = np.random.default_rng(3)
    kernel, bias = network.get_layer("head").get_weights()
    network.get_layer("head").set_weights([random.normal(0, 2, kernel.shape), bias])


def build(*, has_head: bool = True):
    """A network of all that 8 bits are for: depthwise ones and an addition, too."""
    import keras

    from iqa_zoo.models.layers import conv_bn, inverted_residual

    keras.utils.set_random_seed(2)
    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = conv_bn(x, 8, kernel=3, stride=2, momentum=0.9, name="stem")
    for name, channels, stride in (("a", 8, 1), ("b", 16, 2)):
        more = {"kernel": 3, "stride": stride, "expand": 2, "momentum": 0.9}
        x = inverted_residual(x, channels, name=name, **more)
    # Enough weights that it is worth while to round them.
    x = conv_bn(x, 32, kernel=3, momentum=0.9, name="top")
    x = keras.layers.GlobalAveragePooling2D()(x)
    if has_head:
        x = keras.layers.Dropout(0.5)(x)
        x = keras.layers.Dense(10, name="head")(x)
        x = keras.layers.Softmax()(x)
    return keras.Model(image, x, name="convolutions")


@pytest.fixture(scope="session")
def convolutions(photos):
    """The network of `build`, its statistics those of the example photos."""
    network = build()
    settle(network, fitted(photos, SIZE))
    return network


@pytest.fixture(scope="session")
def entry(tmp_path_factory):
    """What a card says of the networks here: ten shares, scores 1 to 10."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return registry.resolve(str(tiny.make_run(folder, content=b"none")))


@pytest.fixture(scope="session")
def subject(entry, convolutions):
    """What `iqa_zoo.export` makes files of."""
    from iqa_zoo.exporting.graphs import Subject

    return Subject(entry, convolutions, SIZE)


@pytest.fixture(scope="module")
def run(tmp_path_factory, photos):
    """The folder of a run of a model that is among the packaged ones meanwhile."""
    import keras

    with small.packaged() as name:
        keras.utils.set_random_seed(4)
        network = registry.load_model(name, None)
        settle(network, fitted(photos, small.SIZE))
        arrays = {v.path: v.numpy() for v in network.weights if "seed" not in v.path}
        folder = tmp_path_factory.mktemp("runs") / "small"
        yield tiny.make_run(folder, arrays=arrays, model=name, size=small.SIZE)


@pytest.fixture
def few(monkeypatch, photos):
    """The example photos are enough to compare on; with them an export is quick."""
    from iqa_zoo.exporting import export, parity, samples

    monkeypatch.setattr(samples, "LEAST", 16)
    monkeypatch.setattr(export, "CALIBRATION", 16)
    monkeypatch.setattr(parity, "_ROUNDS", 1)
    return photos
