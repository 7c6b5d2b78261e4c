"""What the graph makes of pictures that MediaPipe stretched, and of odd ones."""

import functools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iqa_zoo.exporting.reduction import FIRST_STEP, TIMES, filters, reduced
from iqa_zoo.exporting.stretching import stretch
from iqa_zoo.images import fit_image, read_image
from tests.conftest import ROOT

SIZE = 500  # of the networks; their input here is 2000


@functools.cache
def reduction(height=SIZE, width=SIZE):
    import tensorflow as tf

    shape = (1, TIMES * height, TIMES * width, 3)
    return tf.function(reduced, input_signature=[tf.TensorSpec(shape)])


def by_graph(pixels, size=(SIZE, SIZE)):
    """A photo as MediaPipe stretches it and the graph reduces it."""
    large = stretch(pixels, TIMES * size[0], TIMES * size[1])
    return reduction(*size)(large[np.newaxis].astype(np.float32)).numpy()[0]


@functools.cache
def photo(name="chelsea"):
    return read_image(ROOT / "examples" / "photos" / f"{name}.jpg")


def off(found, pixels):
    wanted = fit_image(pixels, found.shape[:2]).astype(np.float32)
    return float(np.sqrt(np.mean((found - wanted) ** 2)))


def by_mean(pixels):
    """What a plain mean of each 4x4 pixels makes of a stretched photo."""
    large = stretch(pixels, TIMES * SIZE, TIMES * SIZE).astype(np.float32)
    return large.reshape(SIZE, TIMES, SIZE, TIMES, 3).mean((1, 3))


def test_weights():
    lengths, weights = filters()
    np.testing.assert_allclose(weights.sum(1), 1, atol=2e-3)
    assert weights.shape == (len(lengths), weights.shape[1])
    assert lengths[0] == 1 and (np.diff(lengths) > 0).all()
    alone = np.zeros(weights.shape[1])
    alone[-FIRST_STEP] = 1
    np.testing.assert_array_equal(weights[0], alone)


@pytest.mark.parametrize("name", ["astronaut", "coffee_noise"])
def test_a_photo_of_the_networks_size_is_itself(name):
    pixels = fit_image(photo(name), (SIZE, SIZE))
    np.testing.assert_allclose(by_graph(pixels), pixels, atol=1e-3)


def test_where_there_is_no_fine_structure_the_filter_matters_little():
    pixels = fit_image(photo("rocket_blur"), (SIZE, SIZE))
    rms = off(by_graph(pixels), pixels)
    print(f"{rms:.2f}")
    assert rms < 1


@pytest.mark.parametrize(
    "size",
    [(300, 451), (480, 640), (600, 800), (768, 1024), (1200, 900), (3000, 4000)],
    ids="{0[1]}x{0[0]}".format,
)
def test_nearer_to_the_library_than_a_mean(size):
    from iqa_zoo.exporting.samples import _mosaic

    tiles = [photo(name) for name in ("astronaut", "chelsea", "coffee", "rocket")]
    pixels = _mosaic(tiles, size[1], size[0], 0)
    mine, plain = off(by_graph(pixels), pixels), off(by_mean(pixels), pixels)
    print(f"{mine:.2f} beside {plain:.2f} grey levels")
    assert mine < plain


def test_as_litert_does_it():
    """The converter may not change what is computed."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    size = (48, 64)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [reduction(*size).get_concrete_function()]
    )
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    for pixels in (photo(), photo("rocket_noise")[:90, :70], photo()[:48, :64]):
        large = stretch(pixels, *(TIMES * n for n in size))[np.newaxis].astype("f")
        interpreter.set_tensor(source["index"], large)
        interpreter.invoke()
        found = interpreter.get_tensor(target["index"])
        wanted = reduction(*size)(large).numpy()
        np.testing.assert_allclose(found, wanted, atol=0.01)


FLAT = {
    "black": np.zeros((5, 5, 3), np.uint8),
    "white": np.full((700, 300, 3), 255, np.uint8),
    "one pixel": np.full((1, 1, 3), 77, np.uint8),
}


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_picture_stays_flat(name):
    pixels = FLAT[name]
    np.testing.assert_allclose(
        by_graph(pixels), np.broadcast_to(pixels[0, 0], (SIZE, SIZE, 3)), atol=0.5
    )


@settings(deadline=None, max_examples=15)
@example(96, 128, 0)
@example(1, 1, 1)
@given(st.integers(1, 900), st.integers(1, 900), st.integers(0, 2**32 - 1))
def test_noise_of_any_size_gives_levels(height, width, seed):
    size = (96, 128)
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    found = by_graph(pixels, size)
    assert found.shape == (*size, 3)
    assert np.isfinite(found).all()
    assert found.min() >= 0 and found.max() <= 255
    assert found.mean() == pytest.approx(pixels.mean(), abs=60 if width < 9 else 25)


@settings(deadline=None, max_examples=10)
@given(st.integers(50, 1100), st.integers(50, 1100))
def test_a_photo_of_any_size_is_near_the_librarys(height, width):
    """Though the graph is not told the size."""
    pixels = fit_image(photo(), (height, width))
    assert off(by_graph(pixels), pixels) < 3
