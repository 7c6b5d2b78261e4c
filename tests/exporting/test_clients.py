"""Exported files in the hands of those they are made for.

Each client has a Python environment of its own, without iqa_zoo, as a user has it.
`.ci/run` makes them; IQA_ZOO_CLIENTS names their folder.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import iqa_zoo
from iqa_zoo import registry
from iqa_zoo.exporting import graphs, to_tflite
from iqa_zoo.images import fit_by, read_image

pytestmark = [pytest.mark.weights, pytest.mark.export]

MODEL = "nima-mobilenetv2"
CLIENTS = os.environ.get("IQA_ZOO_CLIENTS")

# As MediaPipe's guide has it. The categories come sorted by their shares.
MEDIAPIPE = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

model, *photos = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model))
classifier = vision.ImageClassifier.create_from_options(options)
for photo in photos:
    answer = classifier.classify(mp.Image.create_from_file(photo)).classifications[0]
    bins = sorted(answer.categories, key=lambda category: category.index)
    rows = [(bin.index, bin.category_name, bin.score) for bin in bins]
    print(json.dumps([answer.head_name, rows]))
classifier.close()
"""


def python_of(client: str) -> Path:
    """The interpreter of a client's environment."""
    if not CLIENTS:
        pytest.skip("needs IQA_ZOO_CLIENTS, a folder of environments (see .ci/run)")
    return Path(CLIENTS) / client / "bin" / "python"


def run_client(client: str, *words: object, folder: Path) -> str:
    """What a program of the client's prints; it sees nothing of this environment."""
    done = subprocess.run(
        [python_of(client), "-I", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="session")
def subject():
    return graphs.subject(MODEL, None)


@pytest.fixture(scope="session")
def for_mediapipe(subject, tmp_path_factory):
    """A file for MediaPipe, without the report, which takes longer than all else."""
    python_of("mediapipe")
    file = tmp_path_factory.mktemp("clients") / "app.tflite"
    content = to_tflite.tflite(subject, "none", reduce=True)
    file.write_bytes(to_tflite.mediapipe(content, subject))
    return file


def by_mediapipe(file: Path, photos: list[Path]) -> np.ndarray:
    """The score of each photo as MediaPipe's Python has it."""
    said = run_client("mediapipe", "-c", MEDIAPIPE, file, *photos, folder=file.parent)
    scores = []
    for line in said.splitlines():
        _, rows = json.loads(line)
        assert [row[:2] for row in rows] == [[n, str(n + 1)] for n in range(10)]
        shares = np.array([row[2] for row in rows])
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        scores.append(float(shares @ np.arange(1, 11)))
    assert len(scores) == len(photos)
    return np.array(scores)


def by_library(photos: list[Path], model: str | Path = MODEL) -> np.ndarray:
    return np.array([score.value for score in iqa_zoo.score(photos, model)])


def test_mediapipe_scores_photos_as_the_library_does(for_mediapipe, photos):
    files = sorted(photos.glob("*.jpg"))
    apart = np.abs(by_mediapipe(for_mediapipe, files) - by_library(files))
    print(dict(zip([file.stem for file in files], apart.round(4), strict=True)))
    # No filter finds again how noise of single pixels fell into slightly larger ones.
    noisy = np.array([file.stem.endswith("_noise") for file in files])
    assert apart[~noisy].mean() <= 0.03 and apart[~noisy].max() <= 0.1, apart
    assert apart[noisy].mean() <= 0.15, apart


@pytest.mark.parametrize(
    "count", [20, pytest.param(100, marks=pytest.mark.slow)], ids="{} photos".format
)
def test_mediapipe_scores_photos_of_crowds_as_the_library_does(
    for_mediapipe, clive, count
):
    files = sorted((clive / "images").iterdir())
    files = files[:: len(files) // count][:count]
    apart = np.abs(by_mediapipe(for_mediapipe, files) - by_library(files))
    print(f"mean {apart.mean():.4f}, largest {apart.max():.4f}")
    assert apart.mean() <= 0.01, apart


def check_ten_lines(file: Path, photos: Path, model: str | Path) -> None:
    """The docs' lines print the library's scores."""
    script = photos.parent / "score_tflite.py"
    code = script.read_text().split('"""')[2]
    assert len([line for line in code.splitlines() if line]) <= 10
    rule = registry.resolve(str(model)).input
    files = sorted(photos.glob("*.jpg"))[:3]
    for photo, wanted in zip(files, by_library(files, model), strict=True):
        np.save(file.with_name("pixels.npy"), fit_by(rule, read_image(photo)))
        said = run_client("litert", script, file, "pixels.npy", folder=file.parent)
        assert float(said) == pytest.approx(wanted, abs=1e-3)


def test_ten_lines_with_litert_and_numpy_alone(run, few, tmp_path):
    python_of("litert")
    iqa_zoo.export(run, tmp_path / "app.tflite", photos=few)
    check_ten_lines(tmp_path / "app.tflite", few, run)


@pytest.mark.slow
def test_ten_lines_score_by_a_real_model(subject, photos, tmp_path):
    python_of("litert")
    (tmp_path / "app.tflite").write_bytes(
        to_tflite.tflite(subject, "none", reduce=False)
    )
    check_ten_lines(tmp_path / "app.tflite", photos, MODEL)


def test_the_environments_hold_no_more_than_a_user_has(tmp_path):
    listed = (
        "import importlib.metadata as m; print(*[d.name for d in m.distributions()])"
    )
    for client in ("litert", "mediapipe"):
        names = run_client(client, "-c", listed, folder=tmp_path).lower().split()
        assert not {"iqa_zoo", "iqa-zoo", "tensorflow", "keras"} & set(names)
