"""NIMA's own arguments, and backbones that compute what their publishers say.

What holds for every model of the zoo is in tests/conformance.
"""

import numpy as np
import pytest
import tensorflow as tf

import iqa_zoo
from iqa_zoo import registry, store
from iqa_zoo.errors import UsageError
from iqa_zoo.models import nima

# Layers of each backbone that are computed by other means too.
LOWER = ("stem_relu6", "block0_out", "block1_expand_relu6", "block1_out")
LAYERS = {
    "mobilenet": ("stem_relu6", "block0_out", "block5_out", "block12_out"),
    "mobilenetv2": LOWER,
    "efficientnet-lite0": LOWER,
}


@pytest.mark.parametrize(
    "wrong",
    [{"bins": 1}, {"bins": 0}, {"dropout": 1.0}, {"dropout": -0.1}],
    ids=str,
)
def test_arguments_out_of_range(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        nima.mobilenetv2(**wrong)


@pytest.mark.parametrize(
    "build, least",
    [(nima.vgg16, 224), (nima.vgg16_gap, 32), (nima.inception_resnet_v2, 75)],
    ids=["vgg16", "vgg16-gap", "inception-resnet-v2"],
)
def test_size_below_the_least(build, least):
    with pytest.raises(UsageError, match=f"takes {least} pixels a side"):
        build(size=(least, least - 1))


@pytest.fixture(scope="module", params=LAYERS)
def trained(request, imagenet_weights):
    """Backbone's name, NIMA network filled with ImageNet, published arrays."""
    import keras

    from iqa_zoo import cards

    name = request.param
    file = cards.backbone_card(name)["weights"]["imagenet"]["file"]
    store.add(f"{name}.imagenet", imagenet_weights / file)
    network = registry.load_model(f"nima-{name}", "imagenet")
    wanted = (*LAYERS[name], "pool")
    look = keras.Model(
        network.inputs, [network.get_layer(layer).output for layer in wanted]
    )
    return name, dict(zip(wanted, range(len(wanted)), strict=True)), look


@pytest.fixture(scope="module")
def kinds(photos):
    """A photo and noise, float32 (2, 96, 64, 3) RGB 0..255."""
    from iqa_zoo.images import fit_image, read_image

    photo = sorted(p for p in photos.iterdir() if p.suffix in (".jpg", ".png"))[0]
    noise = np.random.default_rng(0).integers(0, 256, (96, 64, 3))
    return np.stack([fit_image(read_image(photo), (96, 64)), noise]).astype("float32")


def plain(name, published, image):
    """What `LAYERS` name, by bare convolutions of the published arrays."""

    def relu6(x):
        return tf.clip_by_value(x, 0, 6)

    def conv(x, kernel, shift, *, stride=1, depthwise=False):
        kernel, strides = tf.constant(kernel, tf.float32), [1, stride, stride, 1]
        if depthwise:
            return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME") + shift
        return tf.nn.conv2d(x, kernel, strides, "SAME") + shift

    def folded(index):
        return (published[f"{index:02d}/{part}"] for part in ("kernel", "bias"))

    def torch(prefix, normalisation, *, depthwise=False):
        # gamma (x - mean) / sqrt(variance + epsilon) + beta, put into the kernel.
        gamma, beta, mean, variance = (
            published[f"{normalisation}.{part}"].astype("float32")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + 1e-3)
        kernel = published[f"{prefix}.weight"].astype("float32")
        kernel = kernel * factor[:, None, None, None]
        kernel = np.moveaxis(kernel, (0, 1), (2, 3) if depthwise else (3, 2))
        return kernel, beta - mean * factor

    seen = {}
    if name == "mobilenet":
        x = image / 127.5 - 1
        for index in range(27):
            stride = 2 if index in (0, 3, 7, 11, 23) else 1
            depthwise = index % 2 == 1
            x = relu6(conv(x, *folded(index), stride=stride, depthwise=depthwise))
            layer = f"block{index // 2 - 1}_out" if index else "stem_relu6"
            if layer in LAYERS[name] and not depthwise:
                seen[layer] = x
        return seen
    if name == "mobilenetv2":
        layers = [tuple(folded(index)) for index in range(6)]
        x = image / 127.5 - 1
    else:
        block = "_blocks.{}._{}_conv"
        bn = "_blocks.{}._bn{}"
        layers = [
            torch("_conv_stem", "_bn0"),
            torch(block.format(0, "depthwise"), bn.format(0, 1), depthwise=True),
            torch(block.format(0, "project"), bn.format(0, 2)),
            torch(block.format(1, "expand"), bn.format(1, 0)),
            torch(block.format(1, "depthwise"), bn.format(1, 1), depthwise=True),
            torch(block.format(1, "project"), bn.format(1, 2)),
        ]
        x = (image - 127) / 128
    seen["stem_relu6"] = x = relu6(conv(x, *layers[0], stride=2))
    x = relu6(conv(x, *layers[1], depthwise=True))
    seen["block0_out"] = x = conv(x, *layers[2])
    seen["block1_expand_relu6"] = x = relu6(conv(x, *layers[3]))
    x = relu6(conv(x, *layers[4], stride=2, depthwise=True))
    seen["block1_out"] = conv(x, *layers[5])
    return seen


def test_lower_layers_compute_what_was_published(trained, kinds):
    name, order, look = trained
    found = look({"image": kinds}, training=False)
    for layer, expected in plain(name, store.read_imagenet(name), kinds).items():
        np.testing.assert_allclose(
            found[order[layer]], expected, rtol=1e-3, atol=1e-3, err_msg=layer
        )


def test_imagenet_features_tell_images_apart(trained, kinds):
    _, order, look = trained
    features = np.asarray(look({"image": kinds}, training=False)[order["pool"]])
    assert np.isfinite(features).all()
    assert (features >= 0).all()
    assert (features.std(0) > 1e-3).mean() > 0.5
    assert np.corrcoef(features)[0, 1] < 0.9


def test_a_mirrored_photo_is_more_alike_than_noise(trained, kinds):
    _, order, look = trained
    images = np.concatenate([kinds, kinds[:1, :, ::-1]])
    features = np.asarray(look({"image": images}, training=False)[order["pool"]])
    _, to_noise, to_mirror = np.corrcoef(features)[0]
    assert to_mirror > to_noise + 0.1


# What idealo's own weights gave for its test photos: technical and aesthetic (its
# issue 23), and how far ours may be from it. Four photos have all their colour, and
# every decoder of that time gives the same pixels. The second has a quarter of it, and
# decoders differ in how they spread it: with it unsmoothed, NIMA on MobileNetV2 judges
# this photo by 0.1 otherwise.
GOLDEN = {
    "42039.jpg": (4.6476, 5.2282, 1e-3),
    "42040.jpg": (4.3037, 4.6879, 0.1),
    "42041.jpg": (4.9969, 5.2865, 1e-3),
    "42042.jpg": (3.9692, 5.1272, 1e-3),
    "42044.jpg": (3.9866, 5.7950, 1e-3),
}


@pytest.mark.weights
@pytest.mark.parametrize("column, tag", [(0, "tid2013"), (1, "ava")])
def test_idealos_scores(column, tag, idealo, published):
    name = f"nima-mobilenet.{tag}"
    published(name)
    results = list(iqa_zoo.score([idealo / photo for photo in GOLDEN], name))
    for result, golden in zip(results, GOLDEN.values(), strict=True):
        assert result.value == pytest.approx(golden[column], abs=golden[-1])
