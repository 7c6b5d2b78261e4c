"""The LiteRT engine: the bits of an answer depend on the image alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import WeightsError
from tests.helpers import tiny


@pytest.fixture(scope="module")
def engine():
    return LiteRT(tiny.litert(), "distribution", "tiny")


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, *tiny.SIZE, 3), np.uint8)
    images.flags.writeable = False
    return images


@pytest.fixture(scope="module")
def expected(engine, images):
    return engine.predict(images)


def test_shape_and_sums(expected):
    assert expected.shape == (12, 10)
    assert expected.dtype == np.float32
    assert expected.sum(axis=1) == pytest.approx(np.ones(12), abs=1e-6)
    assert np.ptp(expected, axis=0).max() > 1e-4  # it tells images apart


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_thread_count_changes_no_bit(engine, images, expected, threads):
    assert engine.predict(images, threads).tobytes() == expected.tobytes()


def test_order_and_batch_change_no_bit(engine, images, expected):
    backwards = [engine.predict([image])[0] for image in images[::-1]]
    assert np.stack(backwards[::-1]).tobytes() == expected.tobytes()


def test_many_threads_at_once(engine, images, expected):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            rows = list(pool.map(lambda image: engine.predict([image])[0], images))
            assert np.stack(rows).tobytes() == expected.tobytes()


def test_interpreters_are_kept_for_the_next_call(engine, images):
    engine.predict(images, 2)
    before = engine._idle[2][-1]
    engine.predict(images, 2)
    assert engine._idle[2][-1] is before


@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_a_broken_file_is_an_error_that_names_the_model(images, content):
    content = tiny.litert()[:900] if content is None else content
    with pytest.raises(WeightsError, match="tiny"):
        LiteRT(content, "distribution", "tiny").predict(images)


def test_a_file_without_the_output_is_refused(images):
    with pytest.raises(WeightsError, match="quality"):
        LiteRT(tiny.litert(), "quality", "tiny").predict(images)


def test_a_file_for_images_of_another_size_is_refused(images):
    engine = LiteRT(tiny.litert(), "distribution", "tiny")
    with pytest.raises(WeightsError, match="tiny does not run here"):
        engine.predict(images[:, :-1])


def test_a_file_whose_output_is_no_row_of_numbers_is_refused(images):
    import keras

    image = keras.Input((*tiny.SIZE, 3), name="image")
    for layer in (
        keras.layers.Lambda(lambda x: keras.ops.cast(x[:, 0, 0] > 9, "int32")),
        keras.layers.Lambda(lambda x: x[0, 0, 0]),
    ):
        content = converted(keras.Model(image, layer(image)), tiny.SIZE, "score")
        with pytest.raises(WeightsError, match="its output is"):
            LiteRT(content, "score", "tiny").predict(images)
