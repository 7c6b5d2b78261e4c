"""BRISQUE's regression out of the text files that libsvm's programs write."""

from collections.abc import Mapping

import numpy as np

from iqa_zoo.errors import WeightsError
from iqa_zoo.natural_scene.statistics import FloatArray

FEATURES = 36
#: Bytes of a file; the authors' have less than a million.
LARGEST = 10_000_000


def from_libsvm(files: Mapping[str, bytes]) -> dict[str, FloatArray]:
    """The regression in the two text files of the authors' release.

    Args:
        files: "allmodel", what libsvm's svm-train writes (an epsilon-SVR with an RBF
            kernel), and "allrange", what its svm-scale writes (to -1..1).

    Returns:
        float64 arrays, as `brisque` takes them.

    Raises:
        WeightsError: a file is missing, or not as these programs write it.
    """
    model, ranges = (_lines(files, name) for name in ("allmodel", "allrange"))
    try:
        head = model.index(["SV"])
        said = {line[0]: line[1:] for line in model[:head]}
        for key, value in (("svm_type", "epsilon_svr"), ("kernel_type", "rbf")):
            if said[key] != [value]:
                raise ValueError(f"its {key} is not {value}")
        vectors = model[head + 1 :]
        if [str(len(vectors))] != said["total_sv"]:
            raise ValueError(f"it has {len(vectors)} vectors, of {said['total_sv']}")
        coef = [float(line[0]) for line in vectors]
        rows = np.zeros((len(vectors), FEATURES))
        for row, line in zip(rows, vectors, strict=True):
            for cell in line[1:]:
                number, _, value = cell.partition(":")
                row[_place(number)] = float(value)
        arrays = {
            "support_vectors": rows,
            "coef": np.array(coef),
            "rho": np.array([float(said["rho"][0])]),
            "gamma": np.array([float(said["gamma"][0])]),
            "power": np.ones(1),
            **_scaling(ranges),
        }
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has a number that is not finite")
    except (ValueError, KeyError, IndexError) as error:
        raise WeightsError(
            f"allmodel and allrange are not the files of the authors' release: {error}."
        ) from error
    return arrays


def _lines(files: Mapping[str, bytes], name: str) -> list[list[str]]:
    """The words of each line that has any."""
    if name not in files:
        raise WeightsError(f"The file {name} is missing; both are in the release.")
    if len(files[name]) > LARGEST:
        raise WeightsError(
            f"The file {name} has {len(files[name])} bytes, more than {LARGEST}: "
            "it is not the authors'."
        )
    text = files[name].decode("ascii", "replace")
    return [words for line in text.splitlines() if (words := line.split())]


def _scaling(lines: list[list[str]]) -> dict[str, FloatArray]:
    if lines[0] != ["x"] or [float(bound) for bound in lines[1]] != [-1, 1]:
        raise ValueError("the features are not scaled to -1..1")
    bounds = np.full((2, FEATURES), np.nan)
    for number, *cells in lines[2:]:
        bounds[:, _place(number)] = [float(cell) for cell in cells]
    low, high = bounds
    if not (low < high).all():
        raise ValueError("a feature has no range")
    return {"offset": (low + high) / 2, "projection": np.diag(2 / (high - low))}


def _place(number: str) -> int:
    """From libsvm's number of a feature, which counts from 1."""
    place = int(number) - 1
    if not 0 <= place < FEATURES:
        raise ValueError(f"there is no feature {number}")
    return place
