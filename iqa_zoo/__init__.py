"""Image-quality assessment for TensorFlow and Keras.

>>> import iqa_zoo
>>> for result in iqa_zoo.score("photos/"):  # doctest: +SKIP
...     print(result.path, result.value)

Importing this package imports no TensorFlow; functions that need it import it when
they are called.
"""

import importlib
from typing import TYPE_CHECKING, Any

from iqa_zoo.errors import (
    CardError,
    ExportError,
    ImageError,
    IqaError,
    MissingLibraryError,
    MissingWeightsError,
    OpinionError,
    OutputError,
    TrainingError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from iqa_zoo.results import ImageScore

if TYPE_CHECKING:
    from iqa_zoo.comparing import PairScore, compare
    from iqa_zoo.diagnosis import Diagnosis, diagnose
    from iqa_zoo.distortions import distort
    from iqa_zoo.evaluation.evaluate import evaluate
    from iqa_zoo.exporting.export import export
    from iqa_zoo.images import Limits
    from iqa_zoo.maps import QualityMap, quality_map
    from iqa_zoo.naming import NamedDistortion, name_distortion
    from iqa_zoo.registry import list_models, load_model, model_card
    from iqa_zoo.scoring import Scorer, score
    from iqa_zoo.training.train import train

__version__ = "0.1.0"

__all__ = [
    "CardError",
    "Diagnosis",
    "ExportError",
    "ImageError",
    "ImageScore",
    "IqaError",
    "Limits",
    "MissingLibraryError",
    "MissingWeightsError",
    "NamedDistortion",
    "OpinionError",
    "OutputError",
    "PairScore",
    "QualityMap",
    "Scorer",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
    "WeightsError",
    "compare",
    "diagnose",
    "distort",
    "evaluate",
    "export",
    "list_models",
    "load_model",
    "model_card",
    "name_distortion",
    "quality_map",
    "score",
    "train",
]

# Where the names live that are only imported when they are asked for.
_LAZY = {
    "Diagnosis": "iqa_zoo.diagnosis",
    "Limits": "iqa_zoo.images",
    "NamedDistortion": "iqa_zoo.naming",
    "PairScore": "iqa_zoo.comparing",
    "QualityMap": "iqa_zoo.maps",
    "compare": "iqa_zoo.comparing",
    "diagnose": "iqa_zoo.diagnosis",
    "distort": "iqa_zoo.distortions",
    "Scorer": "iqa_zoo.scoring",
    "evaluate": "iqa_zoo.evaluation.evaluate",
    "export": "iqa_zoo.exporting.export",
    "list_models": "iqa_zoo.registry",
    "load_model": "iqa_zoo.registry",
    "model_card": "iqa_zoo.registry",
    "name_distortion": "iqa_zoo.naming",
    "quality_map": "iqa_zoo.maps",
    "score": "iqa_zoo.scoring",
    "train": "iqa_zoo.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
