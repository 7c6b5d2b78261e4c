"""From opinions to a run that judges by a network and hand-made features together."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from iqa_zoo import registry
from iqa_zoo.arrays import read_safetensors
from iqa_zoo.correlation import srocc
from iqa_zoo.data.manifest import Labels
from iqa_zoo.engines.convert import converted
from iqa_zoo.engines.fused import OUTPUT, extractor
from iqa_zoo.errors import OutputError, WeightsError
from iqa_zoo.evaluation.figures import figures, high_is_good
from iqa_zoo.evaluation.intervals import LEVELS, REPEATS, srocc_draws
from iqa_zoo.files import sha256, write_bytes
from iqa_zoo.images import Pixels, read_image
from iqa_zoo.models.fusion import BLOCKS, LEAST, FloatArray, predict
from iqa_zoo.threads import cores
from iqa_zoo.training.folder import write_run
from iqa_zoo.training.fusion import Fusion, Search, drawn_folds
from iqa_zoo.training.measures import groups_of, run_figures
from iqa_zoo.training.pace import paced
from iqa_zoo.training.unfinished import claimed

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("iqa_zoo")

#: Part of the names of kept features; raised when what a photo gives changes.
VERSION = 1


def fuse(
    entry: registry.Entry,
    network: "keras.Model",
    labels: Labels,
    parts: Mapping[str, np.ndarray],
    *,
    out: str | os.PathLike[str],
    fingerprints: Sequence[str],
    start: str,
    seen: frozenset[str] = frozenset(),
    split: int | None = 0,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    command: str = "",
) -> Path:
    """Fit a fusion to opinions; its scores are on the opinions' scale.

    Args:
        entry: the network's model.
        network: the network up to its layer `pool`; it stays as it is.
        labels: opinions and photos.
        parts: rows of the parts "train" and, where there are any, "validation" and
            "test"; what is not trained on is only measured.
        out: folder to make; it may exist but must be empty.
        fingerprints: of the photos.
        start: what the network's weights are.
        seen: fingerprints of what the network was trained on.
        split: what seeded the parts.
        seed: of the folds by which all choices are made.
        cache: folder that keeps the features of these photos, or None.
        command: what the card says made the arrays.

    Returns:
        The folder `out`. Its `metrics.json` has under "fusion" which of early and late
        it is, the figures of each and of each block alone, and what each block adds.

    Raises:
        UsageError: `out` holds something, or too few photos train.
        ImageError: a photo that cannot be read, or is too small.
        OutputError: `out` cannot be written.
    """
    card = fusion_card(entry, labels)
    train = parts["train"]
    folds = drawn_folds(len(train), groups_of(labels, train), seed)
    with claimed(Path(out)) as place:
        place.follow({"model": entry.name, "recipe": "fusion"})
        content, features = features_of(
            network,
            dataclasses.replace(entry, card=card),
            labels.paths,
            fingerprints,
            cache,
        )
        search = Search(rows_of(features, train), labels.mos[train], folds)
        fusion = search.best()
        arrays = search.arrays(fusion)
        logger.info("It is %s fusion.", fusion.kind)
        scores = np.full(len(labels.names), np.nan)
        for rows in parts.values():
            found = predict(rows_of(features, rows), arrays)
            scores[rows] = np.clip(found, *labels.range)
        metrics: dict[str, Any] = {
            "model": entry.name,
            "start": start,
            "split": split,
            "seed": seed,
            "range": list(labels.range),
            "direction": labels.direction,
            **run_figures(labels, parts, scores),
            "fusion": _told(search, fusion, features, labels, parts),
        }
        write_run(
            place.out,
            card,
            arrays,
            metrics,
            [],
            labels,
            parts,
            scores,
            seen | {fingerprints[row] for row in train},
            command,
            output=card["output"] | {"scale": list(labels.range)},
            litert=content,
        )
    return place.out


def features_of(
    network: "keras.Model",
    entry: registry.Entry,
    paths: Sequence[Path],
    fingerprints: Sequence[str],
    cache: str | os.PathLike[str] | None = None,
) -> tuple[bytes, dict[str, FloatArray]]:
    """The LiteRT file of a network, and the photos' features.

    Args:
        network: from pictures to features.
        entry: with the card of a fusion.
        paths: the photos.
        fingerprints: of the photos.
        cache: folder that keeps the features where it takes them, or None.

    Returns:
        The file, and the features (n, F) by block.

    Raises:
        ImageError: a photo that cannot be read, or is too small.
    """
    rule = entry.card["network"]["input"]
    height, width = rule["size"]
    logger.info("Converting %s for LiteRT.", entry.name)
    content = converted(network, (height, width), OUTPUT)
    weights = [
        variable.path.encode() + variable.numpy().tobytes()
        for variable in network.variables
    ]
    made_of = repr((VERSION, sorted(rule.items()), list(fingerprints))).encode()
    key = sha256(b"".join([*weights, made_of]))
    place = Path(cache or "") / f"fusion-{key[:32]}.safetensors"
    if cache is not None and place.exists():
        with contextlib.suppress(WeightsError):  # damaged
            return content, read_safetensors(place.read_bytes(), str(place))
    logger.info("Taking the features of %d photos.", len(paths))
    look = _looking(entry, extractor(content, rule, entry.name))
    with ThreadPoolExecutor(cores()) as pool:
        found = list(paced(pool.map(look, paths), len(paths), "photos"))
    features = {block: np.stack([each[block] for each in found]) for block in BLOCKS}
    if cache is not None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(place, save(features))
        except (OSError, OutputError) as error:
            logger.warning("Nothing is kept for the next run: %s", error)
    return content, features


def _looking(
    entry: registry.Entry, features: Callable[[Pixels], dict[str, np.ndarray]]
) -> Callable[[Path], dict[str, np.ndarray]]:
    def look(path: Path) -> dict[str, np.ndarray]:
        pixels = read_image(path)
        registry.check_large_enough(entry, *pixels.shape[:2], os.fspath(path))
        return features(pixels)

    return look


def rows_of(
    features: Mapping[str, FloatArray], rows: np.ndarray
) -> dict[str, FloatArray]:
    """The features of some of the photos."""
    return {block: each[rows] for block, each in features.items()}


def compared(
    search: Search, features: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """What else than the fusion was fitted says of photos, by name.

    The names are those of the blocks alone, "early", "late", and "without BLOCK" for
    the better fusion of the others.
    """
    fusions = {block: search.early([block]) for block in BLOCKS}
    fusions |= {"early": search.early(BLOCKS), "late": search.late(BLOCKS)}
    for block in BLOCKS:
        fusions[f"without {block}"] = search.best([b for b in BLOCKS if b != block])
    return {
        name: predict(features, search.arrays(fusion))
        for name, fusion in fusions.items()
    }


def gains(
    opinions: FloatArray,
    scores: FloatArray,
    others: Mapping[str, FloatArray],
    groups: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """How much SROCC each block adds to the fusion of the others.

    Args:
        opinions: (n,), high for good.
        scores: (n,), of the fusion, high for good.
        others: what `compared` gives, high for good.
        groups: as in `intervals.bootstrap`.

    Returns:
        By block "srocc" (with it minus without it) and "interval", the bounds of 95 %
        of a bootstrap that draws the same photos for both.
    """
    without = {block: others[f"without {block}"] for block in BLOCKS}
    draws = srocc_draws(opinions, [scores, *without.values()], groups, REPEATS, 0)
    found = {}
    for number, (block, each) in enumerate(without.items(), 1):
        low, high = np.nanpercentile(draws[:, 0] - draws[:, number], LEVELS)
        gain = srocc(scores, opinions) - srocc(each, opinions)
        found[block] = {"srocc": gain, "interval": [float(low), float(high)]}
    return found


def _told(
    search: Search,
    fusion: Fusion,
    features: Mapping[str, FloatArray],
    labels: Labels,
    parts: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """What `metrics.json` says of the fusion."""
    told: dict[str, Any] = {"kind": fusion.kind}
    if fusion.kind == "late":
        told["weights"] = dict(zip(BLOCKS, fusion.weights.tolist(), strict=True))
    told["left_out_rmse"] = {
        **{block: search.early([block]).error for block in BLOCKS},
        "early": search.early(BLOCKS).error,
        "late": search.late(BLOCKS).error,
    }
    held_out = [part for part in ("test", "validation") if len(parts.get(part, ())) > 1]
    if not held_out:
        return told
    part = held_out[0]
    rows = parts[part]
    sign = 1 if labels.direction == "higher_is_better" else -1
    shown = rows_of(features, rows)
    scores = sign * predict(shown, search.arrays(fusion))
    others = {name: sign * each for name, each in compared(search, shown).items()}
    groups = groups_of(labels, rows)
    return told | {
        "part": part,
        "alone": {
            name: figures(labels, rows, others[name])
            for name in (*BLOCKS, "early", "late")
        },
        "gains": gains(high_is_good(labels)[rows], scores, others, groups),
    }


def fusion_card(entry: registry.Entry, labels: Labels) -> dict[str, Any]:
    """The card of a fusion with a model's network, without its weight set."""
    title = entry.card["title"]
    return {
        "title": f"{title}, with hand-made features",
        "family": "fusion",
        "task": entry.task,
        "summary": (
            f"What {title} sees, BRISQUE's 36 features and six technical measures, "
            "weighed together by kernel regressions on opinions."
        ),
        "limits": [
            "It knows the kind of photos that it was trained on; on others the network "
            "and the hand-made features may be wrong in different ways.",
        ],
        "measure": registry.FUSED,
        "network": {"model": entry.name, "input": dict(entry.input)},
        "input": {"size": "native", "least": max(entry.input["least"], LEAST)},
        "output": {"kind": "score", "direction": labels.direction},
    }
