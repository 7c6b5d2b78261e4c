"""Each kind of file answers as the network that it is made of."""

import importlib.util

import numpy as np
import pytest

from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import UsageError
from iqa_zoo.exporting import to_onnx, to_savedmodel, to_tflite
from iqa_zoo.exporting.graphs import Subject
from iqa_zoo.exporting.int8 import measured
from iqa_zoo.exporting.reduction import TIMES
from iqa_zoo.exporting.stretching import stretch
from iqa_zoo.images import fit_image, read_image
from tests.exporting.conftest import SIZE, fitted

pytestmark = pytest.mark.export

VALUES = np.arange(1, 11)
# Of scores on 1 to 10: the mean and the largest difference.
WITHIN = {
    "none": (1e-4, 1e-4),
    "float16": (0.01, 0.02),
    "dynamic": (0.06, 0.2),
    "int8": (0.06, 0.3),
}


@pytest.fixture(scope="module")
def images(photos):
    return fitted(photos, SIZE)


@pytest.fixture(scope="module")
def scores(convolutions, images):
    found = convolutions(images.astype(np.float32), training=False).numpy() @ VALUES
    assert np.ptp(found) > 1
    return found


@pytest.fixture(scope="module")
def found(convolutions, images):
    return measured(convolutions, images)


@pytest.fixture(scope="module")
def files(subject, found):
    """A function that makes a LiteRT file, each once."""
    made = {}

    def make(quantize, reduce=False):
        key = quantize, reduce
        if key not in made:
            ranges = found if quantize == "int8" else None
            made[key] = to_tflite.tflite(subject, quantize, reduce=reduce, found=ranges)
        return made[key]

    return make


@pytest.mark.parametrize("quantize", WITHIN)
def test_litert(files, quantize, images, scores):
    content = files(quantize)
    shares = LiteRT(content, "distribution", "file").predict(images)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-3)
    apart = np.abs(shares @ VALUES - scores)
    print(quantize, len(content), apart.mean(), apart.max())
    mean, most = WITHIN[quantize]
    assert apart.mean() <= mean and apart.max() <= most, apart
    assert quantize == "none" or apart.max() > 1e-5  # something was rounded


@pytest.mark.parametrize(
    ("quantize", "reduce"),
    [
        *((quantize, False) for quantize in WITHIN),
        # The reduction takes long to convert.
        *(pytest.param(quantize, True, marks=pytest.mark.slow) for quantize in WITHIN),
    ],
)
def test_names_and_shapes_in_litert(files, quantize, reduce):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=files(quantize, reduce))
    assert interpreter.get_signature_list() == {
        "score": {"inputs": ["image"], "outputs": ["distribution"]}
    }
    runner = interpreter.get_signature_runner("score")
    image = runner.get_input_details()["image"]
    shares = runner.get_output_details()["distribution"]
    times = TIMES if reduce else 1
    assert tuple(image["shape"]) == (1, times * SIZE[0], times * SIZE[1], 3)
    whole = quantize == "int8" and not reduce
    assert image["dtype"] is (np.uint8 if whole else np.float32)
    if whole:
        scale, zero = image["quantization"]
        assert scale == pytest.approx(1 / 127.5, rel=1e-3) and zero in (127, 128)
    assert tuple(shares["shape"]) == (1, 10)
    assert shares["dtype"] is np.float32


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_the_compiled_model_of_litert(files, quantize, images, scores):
    from ai_edge_litert.compiled_model import CompiledModel

    content = files(quantize)
    model = CompiledModel.from_buffer(content)
    assert model.get_signature_list() == {
        "score": {"inputs": ["image"], "outputs": ["distribution"]}
    }
    kind = np.uint8 if quantize == "int8" else np.float32
    inputs = model.create_input_buffers(0)
    outputs = model.create_output_buffers(0)
    shares = []
    for image in images[:4]:
        inputs[0].write(np.ascontiguousarray(image[np.newaxis].astype(kind)))
        model.run_by_index(0, inputs, outputs)
        shares.append(outputs[0].read(10, np.float32))
    found = np.array(shares) @ VALUES
    np.testing.assert_allclose(found, scores[:4], atol=WITHIN[quantize][1])


def test_onnx_runtime_with_any_batch(subject, images, scores):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    content = to_onnx.onnx(subject)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type) == ("image", "tensor(float)")
    assert image.shape[1:] == [*SIZE, 3] and not isinstance(image.shape[0], int)
    assert output.name == "distribution"
    for batch in (1, 3, len(images)):
        given = images[:batch].astype(np.float32)
        (shares,) = session.run(["distribution"], {"image": given})
        np.testing.assert_allclose(shares @ VALUES, scores[:batch], atol=1e-4)
    run = to_onnx.runner(content, "distribution")
    assert run(images[0], 2) @ VALUES == pytest.approx(scores[0], abs=1e-4)


@pytest.fixture(scope="module")
def served(subject, tmp_path_factory):
    """The functions of a SavedModel, as a server loads them."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("served") / "1"
    to_savedmodel.savedmodel(subject, folder)
    return tf.saved_model.load(str(folder)).signatures


def test_signatures_of_a_savedmodel(served, images, scores):
    assert set(served) == {"score", "score_files", "serving_default"}
    for name in ("score", "serving_default"):
        _, given = served[name].structured_input_signature
        assert given["image"].shape.as_list() == [None, *SIZE, 3]
        for batch in (1, len(images)):
            answer = served[name](image=images[:batch].astype(np.float32))
            assert set(answer) == {"distribution", "score"}
            np.testing.assert_allclose(
                answer["distribution"].numpy() @ VALUES, scores[:batch], atol=1e-4
            )
            assert answer["score"].shape == (batch,)
            np.testing.assert_allclose(answer["score"], scores[:batch], atol=1e-4)


def test_a_savedmodel_reads_files_as_the_library_does(
    served, photos, tmp_path, convolutions
):
    import tensorflow as tf
    from PIL import Image

    pixels = read_image(photos / "coffee.jpg")
    small = fit_image(pixels, (30, 200))  # one axis shrinks, the other grows
    for suffix in ("png", "bmp"):
        Image.fromarray(small).save(tmp_path / f"small.{suffix}")
    Image.fromarray(small[:, :, 0]).save(tmp_path / "grey.png")
    files = [photos / "chelsea.jpg", *sorted(tmp_path.iterdir())]
    contents = tf.constant([file.read_bytes() for file in files])
    answer = served["score_files"](image_bytes=contents)
    wanted = convolutions(
        np.stack([fit_image(read_image(file), SIZE) for file in files]).astype("f"),
        training=False,
    ).numpy()
    np.testing.assert_allclose(answer["score"], wanted @ VALUES, atol=0.05)
    assert answer["distribution"].shape == (4, 10)


def test_outputs_keep_their_names(entry, images, tmp_path):
    """Quality, a map of it and what is wrong, as one network gives them."""
    import keras
    import tensorflow as tf

    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    map_ = keras.layers.Conv2D(4, 3, strides=4, padding="same")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(map_)
    outputs = {
        "map": map_,
        "distribution": keras.layers.Dense(10, "softmax")(pooled),
        "blur": keras.layers.Dense(3, "softmax")(pooled),
    }
    network = keras.Model(image, outputs, name="several")
    subject = Subject(entry, network, SIZE)
    given = images[:1].astype(np.float32)
    wanted = {name: value.numpy() for name, value in network(given).items()}

    from ai_edge_litert.interpreter import Interpreter

    content = to_tflite.tflite(subject, "none", reduce=False)
    runner = Interpreter(model_content=content).get_signature_runner("score")
    answers = {"LiteRT": runner(image=given)}
    to_savedmodel.savedmodel(subject, tmp_path / "several")
    served = tf.saved_model.load(str(tmp_path / "several")).signatures["score"]
    answers["SavedModel"] = served(image=given)
    assert set(answers["SavedModel"]) == {*wanted, "score"}
    del answers["SavedModel"]["score"]
    if importlib.util.find_spec("tf2onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(to_onnx.onnx(subject))
        names = [output.name for output in session.get_outputs()]
        found = session.run(names, {"image": given})
        answers["ONNX"] = dict(zip(names, found, strict=True))
    with pytest.raises(UsageError, match=r"has 3 outputs; MediaPipe's .* with one"):
        to_tflite.mediapipe(content, subject)
    for kind, answer in answers.items():
        assert set(answer) == set(wanted), kind
        for name, value in wanted.items():
            np.testing.assert_allclose(answer[name], value, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_a_file_that_reduces_takes_what_mediapipe_makes_of_photos(
    files, photos, convolutions
):
    """For photos of the network's size nothing is lost."""
    content = files("none", reduce=True)
    engine = LiteRT(content, "distribution", "file")
    for path in sorted(photos.glob("*.jpg"))[:4]:
        pixels = fit_image(read_image(path), SIZE)
        large = stretch(pixels, TIMES * SIZE[0], TIMES * SIZE[1])
        wanted = convolutions(pixels[np.newaxis].astype("f"), training=False).numpy()
        (shares,) = engine.predict([large])
        assert shares @ VALUES == pytest.approx(wanted[0] @ VALUES, abs=0.5)
