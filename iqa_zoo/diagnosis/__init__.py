"""What is wrong with a photo, where, and how badly: in words and as data.

`diagnose` gives a `Diagnosis`: one `Flag` for each thing in `FLAGS`. `annotated` draws
it. The thresholds are on a card, `thresholds.toml`, fitted on photos that were damaged
in known ways, with the precision and recall that they had there.
"""

from iqa_zoo.diagnosis.card import Threshold, thresholds
from iqa_zoo.diagnosis.diagnosing import FLAGS, diagnose, readings
from iqa_zoo.diagnosis.drawing import annotated
from iqa_zoo.diagnosis.findings import Box, Diagnosis, Flag, to_data
from iqa_zoo.diagnosis.reading import Reading

__all__ = [
    "FLAGS",
    "Box",
    "Diagnosis",
    "Flag",
    "Reading",
    "Threshold",
    "annotated",
    "diagnose",
    "readings",
    "thresholds",
    "to_data",
]
