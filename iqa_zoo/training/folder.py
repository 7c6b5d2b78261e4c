"""The folder that a finished training leaves: a model like any other."""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards
from iqa_zoo.calibration import interval_table, quantile_table
from iqa_zoo.data.manifest import Labels
from iqa_zoo.evaluation.plots import history as plot_history
from iqa_zoo.evaluation.plots import scatter
from iqa_zoo.files import sha256, write_bytes

TAG = "run"  # the weight set of a run's card
FEWEST_HELD_OUT = 20  # images from which an interval for further ones is taken
NETWORK = "network.tflite"
LOGS = "logs"  # the folder that TensorBoard reads


def write_run(
    out: Path,
    card: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    scores: np.ndarray | None,
    seen: frozenset[str],
    command: str,
    output: Mapping[str, Any] | None = None,
    litert: bytes | None = None,
) -> None:
    """Write the run's folder; the card comes last and makes it a model.

    Args:
        scores: of all images; of a network that names classes, whether it is right;
            None of one that has learned from no opinions.
        output: of a measure, what its scores are.
        litert: the LiteRT file that goes with the arrays, if one.
    """
    names_classes = output is None and card["output"]["kind"] == "classes"
    part_of = {row: part for part, rows in parts.items() for row in rows}
    drawn = sorted(part_of)  # some may have been left out
    named = [(labels.names[row], part_of[row], row) for row in drawn]
    write_table(
        out / "split.csv", [{"image": name, "part": part} for name, part, _ in named]
    )
    if scores is not None:
        write_table(
            out / "scores.csv",
            [
                {"image": name, "part": part, "right": int(scores[row])}
                if names_classes
                else {
                    "image": name,
                    "part": part,
                    "mos": labels.mos[row],
                    "score": round(scores[row], 4),
                }
                for name, part, row in named
            ],
        )
    if history:
        write_history(out, history)
        plot_history(out / "history.png", history)
    for part in ("test", "validation"):
        if scores is not None and part in metrics and not names_classes:
            scatter(
                out / "scatter.png",
                labels.mos[parts[part]],
                scores[parts[part]],
                title=f"{card['title']}: {part} images",
                figures=metrics[part],
            )
            break
    write_bytes(out / "metrics.json", (json.dumps(metrics, indent=1) + "\n").encode())
    said = {
        "data": f"{len(labels.names)} images with "
        + (f"pseudo-MOS of {labels.pseudo}" if labels.pseudo else "opinions"),
        "terms": "those of the opinions and images",
        "start": metrics["start"],
        "seed": metrics["seed"],
        "trained_on": len(parts["train"]),
        "results": {
            part: metrics[part] for part in ("validation", "test") if part in metrics
        },
    }
    if scores is not None and not names_classes:
        scale = (output or card["output"])["scale"]
        said |= _calibrated(scale, labels, parts, scores, drawn, output is not None)
    if output is not None:
        said["output"] = dict(output)
    if litert is not None:
        write_bytes(out / NETWORK, litert)
        said["litert"] = {
            "file": NETWORK,
            "bytes": len(litert),
            "sha256": sha256(litert),
        }
    write_model(out, card, arrays, seen, command, said)


def write_model(
    out: Path,
    card: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    seen: frozenset[str],
    command: str,
    said: Mapping[str, Any],
) -> None:
    """Write the files that make the folder a model; the card comes last.

    Args:
        said: further keys of the card's table of the weight set.
    """
    data = save(dict(arrays))
    write_bytes(out / "weights.safetensors", data)
    seen_text = "".join(f"{each}\n" for each in sorted(seen)).encode()
    write_bytes(out / "seen.txt", seen_text)
    command = command or "iqa_zoo.train"
    write_bytes(out / "command.txt", f"{command}\n".encode())
    card = {k: v for k, v in card.items() if k not in ("weights", "preferred")}
    card["default_weights"] = TAG
    card["weights"] = {
        TAG: {
            "kind": "local",
            "file": "weights.safetensors",
            "bytes": len(data),
            "sha256": sha256(data),
            "dtype": str(next(iter(arrays.values())).dtype),
            "arrays": len(arrays),
            "licence": "as the opinions and images it was trained on allow",
            "command": command,
            "seen": {
                "file": "seen.txt",
                "bytes": len(seen_text),
                "sha256": sha256(seen_text),
            },
            **said,
        }
    }
    cards.check_card(card, str(out / "card.toml"))
    write_bytes(out / "card.toml", tomli_w.dumps(card).encode())


def _calibrated(
    scale: Sequence[float],
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    scores: np.ndarray,
    drawn: Sequence[int],
    on_their_scale: bool,
) -> dict[str, Any]:
    """What a score of this run is worth: the card's `quantiles` and `interval`."""
    found = {
        "quantiles": quantile_table(
            scores[drawn], f"the {len(drawn)} images that it was trained and tested on"
        )
    }
    test = parts.get("test", ())
    if len(test) >= FEWEST_HELD_OUT:
        known = labels
        if on_their_scale:
            known = dataclasses.replace(labels, direction="higher_is_better")
        found["interval"] = interval_table(
            scores[test],
            known.scores((scale[0], scale[1]))[test],
            held_out=f"the {len(test)} test images of its split",
        )
    return found


def write_history(out: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the losses of the epochs so far."""
    write_table(out / "history.csv", history)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV table, whole or not at all; the columns are those of all rows."""
    text = io.StringIO(newline="")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
