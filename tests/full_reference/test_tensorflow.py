"""The same metrics on tensors: the same scores, and gradients to train with."""

import numpy as np
import pytest

from iqa_zoo.errors import ImageError, UsageError
from iqa_zoo.full_reference import loss, metric, metric_card, metric_names, streaming
from iqa_zoo.full_reference.ops import numpy_ops

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

NAMES = metric_names()
# FSIM is a part of FSIMc.
LOSSES = [
    pytest.param(name, marks=pytest.mark.slow) if name == "fsim" else name
    for name in NAMES
    if metric_card(name)["differentiable"]
]


def pair(name, seed=0, colour=True):
    """A clean and a damaged batch of two, float32 on 0..255, of odd sides."""
    random = np.random.default_rng(seed)
    side = max(metric_card(name)["least"], 32)
    shape = (2, side + 1, side + 6, 3 if colour else 1)
    coarse = random.uniform(30, 225, (2, 6, 7, shape[-1]))
    rows = np.arange(shape[1]) * 6 // shape[1]
    columns = np.arange(shape[2]) * 7 // shape[2]
    clean = coarse[:, rows][:, :, columns] + random.normal(0, 8, shape)
    damaged = clean + random.normal(0, 12, shape)
    return [image.clip(0, 255).astype(np.float32) for image in (clean, damaged)]


def tensors(images):
    return [tf.constant(image) for image in images]


def close(name, first, second):
    np.testing.assert_allclose(first, second, rtol=3e-5, atol=3e-6, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_scores_and_maps_are_those_of_arrays(name):
    function, has_map = metric(name), metric_card(name)["has_map"]
    images = [np.rint(image).astype(np.uint8) for image in pair(name)]
    arguments = {"return_map": True} if has_map else {}
    ours, theirs = (
        function(*images, **arguments),
        function(*tensors(images), **arguments),
    )
    if has_map:
        close(name, theirs[1], ours[1])
        ours, theirs = ours[0], theirs[0]
    assert theirs.dtype == tf.float32
    close(name, theirs, ours)


@pytest.mark.parametrize("name", ["ssim", "ms_gmsdc"])
def test_one_image_has_one_score(name):
    images = pair(name, colour=False)
    scores = metric(name)(*tensors(images))
    for one in (
        metric(name)(*(tf.constant(image[0]) for image in images)),
        metric(name)(*(tf.constant(image[0, ..., 0]) for image in images)),
        metric(name)(tf.Variable(images[0][0]), images[1][0]),
    ):
        assert one.shape == ()
        close(name, one, scores[0])


@pytest.mark.parametrize(
    "name",
    [
        name if name == "ssim" else pytest.param(name, marks=pytest.mark.slow)
        for name in NAMES
    ],
)
def test_graphs_of_any_size_give_the_same(name):
    function = metric(name)
    free = tf.TensorSpec((None, None, None, 3))
    graph = tf.function(lambda x, y: function(x, y), input_signature=[free, free])
    images = pair(name)
    close(name, graph(*images), function(*images))


def test_shrinking_by_a_size_that_is_known_late():
    from iqa_zoo.full_reference.ops import tensorflow_ops

    image = np.random.default_rng(0).uniform(0, 255, (640, 651)).astype(np.float32)
    for padding in ("zero", "symmetric"):
        graph = tf.function(
            lambda x, padding=padding: tensorflow_ops.downsampled(x, padding),
            input_signature=[tf.TensorSpec((None, None, None, 1))],
        )
        found = graph(image[None, ..., None])[0, ..., 0]
        np.testing.assert_allclose(
            found, numpy_ops.downsampled(image, padding), rtol=1e-5
        )


def test_a_keras_model_may_hold_a_metric():
    inputs = [keras.Input((None, None, 3)) for _ in range(2)]
    network = keras.Model(inputs, metric("mse")(*inputs))
    images = pair("mse")
    close("mse", network(images), metric("mse")(*images))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_slopes(name):
    value = loss(name)
    clean, damaged = (tf.constant(image[:1]) for image in pair(name))
    with tf.GradientTape() as tape:
        tape.watch(damaged)
        score = value(clean, damaged)
    gradient = tape.gradient(score, damaged)
    random = np.random.default_rng(1).normal(size=damaged.shape)
    size = np.sqrt(np.mean(np.square(gradient)))
    assert size > 0
    direction = tf.constant(gradient / size + random, tf.float32)
    step = 0.02
    ahead, behind = (value(clean, damaged + s * direction) for s in (step, -step))
    slope = float((ahead - behind)[0]) / (2 * step)
    assert slope == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=0.01)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_everywhere(name):
    value = loss(name)
    image = tf.constant(pair(name)[0][:1])
    black, flat = tf.zeros_like(image), tf.fill(image.shape, 90.0)
    cases = [
        *[(same, same) for same in (image, black, flat)],
        *[(image, black), (black, image), (image, flat), (flat, image), (black, flat)],
    ]
    references, distorted = (tf.concat(side, 0) for side in zip(*cases, strict=True))
    with tf.GradientTape() as tape:
        tape.watch([references, distorted])
        scores = value(references, distorted)
    for gradient in tape.gradient(scores, [references, distorted]):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["ssim", pytest.param("nlpd", marks=pytest.mark.slow)])
def test_descent_makes_images_alike(name):
    value = loss(name)
    clean, damaged = (tf.constant(image[:1]) for image in pair(name))
    moved = tf.Variable(damaged)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            score = value(clean, moved)
        gradient = tape.gradient(score, moved)
        size = tf.sqrt(tf.reduce_mean(gradient**2))
        moved.assign(tf.clip_by_value(moved - 0.5 * gradient / size, 0, 255))
        return score[0]

    scores = np.array([step() for _ in range(200)])
    assert scores[100:].max() < scores[:10].min()
    before, after = (
        metric(name)(clean.numpy(), x.numpy())[0] for x in (damaged, moved)
    )
    if name == "ssim":
        assert after > before + 0.5 * (1 - before)
    else:
        assert after < 0.5 * before


def test_ssim_is_that_of_tf_image():
    for seed in range(3):
        clean, damaged = map(tf.constant, pair("ssim_fullres", seed, colour=False))
        close(
            "ssim_fullres",
            metric("ssim_fullres")(clean, damaged),
            tf.image.ssim(clean, damaged, 255),
        )


@pytest.mark.slow
def test_fifty_pairs_of_many_sizes_are_scored_as_tf_image_scores_them():
    for seed in range(50):
        random = np.random.default_rng(seed)
        shape = (1, *random.integers(32, 1025, 2), 3 if seed % 2 else 1)
        clean = random.integers(0, 256, shape, np.uint8)
        noise = np.rint(random.normal(0, 30, shape))
        damaged = (clean + noise).clip(0, 255).astype(np.uint8)
        close(
            "psnr", metric("psnr")(clean, damaged), tf.image.psnr(clean, damaged, 255)
        )
        # Of colour tf.image takes each channel alone, and its mean of three is off by
        # up to 2e-4 from what it says of each.
        channels = [np.moveaxis(i, -1, 0)[:, 0, ..., None] for i in (clean, damaged)]
        ours, theirs = metric("ssim_fullres"), tf.image.ssim
        close("ssim_fullres", ours(*channels), theirs(*channels, 255))


def test_keras_trains_and_measures_with_them_in_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        network = keras.Sequential([keras.layers.Conv2D(3, 1, activation="sigmoid")])
        network.compile(
            "adam",
            loss("ssim", data_range=1),
            metrics=[streaming("psnr", data_range=1)],
        )
        clean, damaged = (image / 255 for image in pair("ssim"))
        history = network.fit(damaged, clean, epochs=2, verbose=0).history
        assert np.isfinite(history["loss"] + history["psnr"]).all()
        half = [tf.cast(image, tf.float16) for image in (clean, damaged)]
        score = metric("ssim")(*half, data_range=1)
        assert score.dtype == tf.float32
        full = [tf.cast(image, tf.float32) for image in half]
        close("ssim", score, metric("ssim")(*full, data_range=1))
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_streaming_metric_averages_over_all_batches():
    averaged = streaming("psnr")
    clean, damaged = pair("psnr")
    averaged.update_state(clean, damaged)
    averaged.update_state(clean[:1], clean[:1])
    scores = [*metric("psnr")(clean, damaged), 100]
    assert float(averaged.result()) == pytest.approx(np.mean(scores), rel=1e-5)


def test_rounded_grey_has_the_gradient_of_the_unrounded():
    clean, damaged = map(tf.constant, pair("mse"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(damaged)
        scores = [
            loss("mse", grey=True, luma_rounding=rounding)(clean, damaged)
            for rounding in (False, True)
        ]
    plain, rounded = (tape.gradient(score, damaged) for score in scores)
    assert np.abs(rounded - plain).max() < 0.1 * np.abs(plain).max()
    assert np.abs(rounded - plain).max() > 0


def test_refusals():
    image = tf.zeros((2, 40, 40, 3))
    with pytest.raises(UsageError, match="one size"):
        metric("ssim")(image, image[:, :-1])
    with pytest.raises(ImageError, match="at least 11 x 11"):
        metric("ssim")(image[:, :10], image[:, :10])
    with pytest.raises(ImageError, match="1 or 3 channels"):
        metric("ssim")(image[0, 0, 0], image[0, 0, 0])
    with pytest.raises(ImageError, match="uint8"):
        metric("ssim")(tf.cast(image, tf.int32), tf.cast(image, tf.int32))
    with pytest.raises(UsageError, match="gradient"):
        loss("vif")
    with pytest.raises(UsageError, match=r"windows.*data_range"):
        loss("ssim", windows=3)


@pytest.mark.parametrize("has_gpu", [False, True])
@pytest.mark.parametrize("padding", ["zero", "symmetric", "replicate", "reflect"])
def test_primitives_are_those_of_arrays(padding, has_gpu, monkeypatch):
    from iqa_zoo.full_reference.ops import tensorflow_filters, tensorflow_ops

    assert numpy_ops.__all__ == tensorflow_ops.__all__
    monkeypatch.setattr(tensorflow_filters, "_has_gpu", lambda: has_gpu)

    plane = np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(5, 3))
    for ask in (
        lambda ops, x: ops.filtered(x, kernel, padding),
        lambda ops, x: ops.separable(x, kernel[:, 0], kernel[0], padding, step=2),
        lambda ops, x: ops.box(x, 4, padding),
        lambda ops, x: ops.slope(x, (3, 10, 3), (1, 0, -1)),
        lambda ops, x: ops.padded(x, (1, 2, 3, 0), padding),
        lambda ops, x: ops.imresize(x, 20, 7),
        lambda ops, x: ops.imresize(x, 5, 24, "bilinear"),
        lambda ops, x: ops.response(ops.spectrum(x), ops.constant(plane[:, :7]), x),
        lambda ops, x: x * 0 + ops.spread(ops.median(x)),
    ):
        ours = ask(numpy_ops, plane)
        theirs = ask(tensorflow_ops, tf.constant(plane[None, ..., None]))
        np.testing.assert_allclose(theirs[0, ..., 0], ours, rtol=1e-5, atol=2e-6)
