"""What a diagnosis is: flags with verdict, severity, evidence and place."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"
SLIGHT, STRONG = "slight", "strong"
NOUNS = {"colour_cast"}  # flags that are named by what there is, not how the photo is


class Box(NamedTuple):
    """A rectangle in pixels of the photo; `right` and `bottom` are just outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """One thing that may be wrong with a photo.

    Attributes:
        name: a key of `iqa_zoo.diagnosis.FLAGS`, such as "blurred".
        verdict: "yes", "no" or "cannot tell".
        severity: "slight" or "strong" where the verdict is yes, else None.
        score: 0 as in a usual clean photo, 0.5 where the verdict becomes yes, 1 strong;
            None where it cannot be told.
        value: what was measured, in the unit that the evidence names; None likewise.
        kind: which sort, such as "motion" of "blurred"; None where there are none.
        evidence: what was seen, or why it cannot be told, in words.
        where: the places, largest first; one box of the whole photo where it is
            everywhere. Empty unless the verdict is yes.
    """

    name: str
    verdict: str
    severity: str | None
    score: float | None
    value: float | None
    kind: str | None
    evidence: str
    where: tuple[Box, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a photo.

    Attributes:
        path: the photo's name, `<bytes>` or `<array>`.
        width: in pixels.
        height: likewise.
        flags: one for each thing that is looked for, by name.
    """

    path: str
    width: int
    height: int
    flags: Mapping[str, Flag]

    @property
    def faults(self) -> tuple[Flag, ...]:
        """The flags whose verdict is yes, the worst first."""
        found = [flag for flag in self.flags.values() if flag.verdict == YES]
        return tuple(sorted(found, key=lambda flag: -(flag.score or 0)))

    @property
    def unknown(self) -> tuple[Flag, ...]:
        """The flags that cannot be told."""
        return tuple(f for f in self.flags.values() if f.verdict == CANNOT_TELL)

    @property
    def verdict(self) -> str:
        """The faults in words, as in "blurred (motion), slightly noisy"."""
        if self.faults:
            return ", ".join(map(_in_words, self.faults))
        if len(self.unknown) == len(self.flags):
            return "cannot tell"
        return "nothing wrong found"


def to_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as JSON can say it."""
    flags = {}
    for name, flag in diagnosis.flags.items():
        flags[name] = dataclasses.asdict(flag)
        del flags[name]["name"]
        flags[name]["where"] = [list(box) for box in flag.where]
    return {
        "path": diagnosis.path,
        "width": diagnosis.width,
        "height": diagnosis.height,
        "verdict": diagnosis.verdict,
        "flags": flags,
    }


def _in_words(flag: Flag) -> str:
    name = flag.name.replace("_", " ")
    kind = f" ({flag.kind})" if flag.kind else ""
    slight = "slight " if flag.name in NOUNS else "slightly "
    return f"{slight if flag.severity == SLIGHT else ''}{name}{kind}"
