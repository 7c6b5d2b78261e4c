"""S-CNN: the size of the network, its authors' weights, and what names a distortion."""

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import cards, naming, registry, store
from iqa_zoo.distortions import KINDS, distort
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UsageError
from iqa_zoo.images import read_image
from iqa_zoo.models import scnn

NOISE = np.random.default_rng(0).integers(0, 256, (2, 230, 470, 3)).astype("float32")


def parameters(network):
    trainable = sum(np.prod(w.shape) for w in network.trainable_weights)
    return network.count_params(), trainable


def test_parameters_in_both_forms():
    assert parameters(scnn.scnn(batch_norm=False)) == (638_487, 638_487)
    assert parameters(scnn.scnn()) == (640_983 + 2 * 1_248, 640_983)


def test_card_names_every_class():
    names = cards.all_cards()["scnn"]["output"]["classes"]
    assert len(set(names)) == len(names) == scnn.CLASSES
    kinds = [name.rpartition("-")[0] for name in names]
    assert set(kinds) == {kind for kind, k in KINDS.items() if k.family == "dbcnn"}
    assert names.index("dbcnn_overexposure-2") == kinds.index("dbcnn_overexposure")


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    return scnn.scnn()


def test_a_photo_is_the_mean_of_its_squares(network):
    whole = network(NOISE, training=False).numpy()
    assert whole.shape == (2, 39)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
    squares = [network(NOISE[:, :224, x : x + 224], training=False) for x in (0, 224)]
    product = np.prod([square.numpy() for square in squares], 0) ** 0.5
    np.testing.assert_allclose(whole, product / product.sum(1, keepdims=True), 1e-4)


def test_squares_of_any_size_for_training(network):
    """One of the size that it cuts gets the same answer; the weights are shared."""
    part = scnn.squares(network)
    square = NOISE[:, :224, :224]
    expected = network(square, training=False)
    np.testing.assert_allclose(part(square, training=False), expected, atol=1e-6)
    assert part(square[:, :112, :112], training=False).shape == (2, 39)
    shared = {id(weight) for weight in network.trainable_weights}
    assert {id(weight) for weight in part.trainable_weights} == shared


def test_static_size_gives_the_same(network):
    twin = scnn.scnn(size=(230, 470))
    twin.set_weights(network.get_weights())
    expected = network(NOISE, training=False)
    np.testing.assert_allclose(twin(NOISE, training=False), expected, atol=1e-6)


def test_size_below_a_square():
    with pytest.raises(UsageError, match="takes 224 pixels"):
        scnn.scnn(size=(224, 223))


def test_folded_normalisation_computes_the_same(network):
    from iqa_zoo.models.layers import folded

    random = np.random.default_rng(1)
    arrays = {
        path: variable.numpy() for path, variable in registry.variables(network).items()
    }
    for path, array in arrays.items():
        if "_bn/" in path:
            arrays[path] = random.uniform(0.5, 1.5, array.shape).astype("float32")
    twin, plain = scnn.scnn(), scnn.scnn(batch_norm=False)
    registry.fill(twin, arrays, "with")
    norms = [f"scnn{number}" for number in range(1, 12)]
    registry.fill(plain, folded(arrays, norms), "without")
    expected = twin(NOISE, training=False)
    np.testing.assert_allclose(plain(NOISE, training=False), expected, atol=1e-5)


@pytest.mark.export
def test_litert(network):
    content = converted(network, (230, 470), "classes")
    found = LiteRT(content, "classes", "scnn").predict(NOISE.astype("uint8"))
    expected = network(NOISE, training=False)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_save_and_reload(network, tmp_path):
    import keras

    network.save(tmp_path / "scnn.keras")
    again = keras.saving.load_model(tmp_path / "scnn.keras", safe_mode=True)
    assert again.compiled
    expected = network(NOISE, training=False)
    np.testing.assert_array_equal(again(NOISE, training=False), expected)


@pytest.fixture(scope="module")
def theirs(imagenet_weights):
    """The authors' weights in the store, and the network filled with them."""
    file = cards.all_cards()["scnn"]["weights"]["dbcnn"]["file"]
    store.add("scnn.dbcnn", imagenet_weights / file)
    return registry.load_network("scnn.dbcnn")


@pytest.fixture(scope="module")
def crops(kodak):
    """The middle 224 x 224 pixels of the 24 photos."""
    photos = [read_image(path) for path in sorted(kodak.glob("*.png"))]
    middles = [[(n - 224) // 2 for n in photo.shape[:2]] for photo in photos]
    return [
        photo[top : top + 224, left : left + 224]
        for photo, (top, left) in zip(photos, middles, strict=True)
    ]


@pytest.mark.parametrize(
    "kind, level, number",
    [("dbcnn_jpeg", 4, 23), ("dbcnn_blur", 4, 4), ("dbcnn_noise", 4, 18)],
)
def test_authors_weights_name_what_was_done(theirs, crops, kind, level, number):
    assert len(crops) == 24
    damaged = np.stack([distort(crop, kind, level) for crop in crops])
    answers = theirs.predict(damaged.astype("float32"), verbose=0)
    assert (answers.argmax(1) == number).sum() >= 23


def test_name_distortion(theirs, kodak):
    photo = read_image(kodak / "kodim05.png")
    noisy = distort(photo, "dbcnn_noise", 4)
    found = iqa_zoo.name_distortion(noisy, "scnn.dbcnn", engine="tensorflow")
    assert (found[0].kind, found[0].level) == ("dbcnn_noise", 5)
    assert len(found) == 9
    assert sum(one.probability for one in found) == pytest.approx(1)
    assert found == sorted(found, key=lambda one: -one.probability)
    with pytest.raises(iqa_zoo.ImageError, match="at least 224"):
        iqa_zoo.name_distortion(noisy[:100], "scnn.dbcnn", engine="tensorflow")


def test_name_distortion_by_a_model_of_scores():
    with pytest.raises(UsageError, match="names no distortions"):
        iqa_zoo.name_distortion("photo.jpg", "nima-mobilenetv2")


@pytest.mark.parametrize(
    "shape, count, corner",
    [
        ((224, 224), 1, (0, 0)),
        ((400, 500), 2, (88, 276)),
        ((3000, 4000), 16, (2776, 3776)),
        ((230, 9000), 16, (3, 8776)),
    ],
)
def test_squares_are_spread_over_the_photo(shape, count, corner):
    # Each pixel says where it is, in parts of 256.
    places = np.indices(shape).transpose(1, 2, 0)
    found = naming.squares(places, 224, 224)
    assert [square.shape for square in found] == [(224, 224, 2)] * count
    assert tuple(found[-1][0, 0]) == corner
