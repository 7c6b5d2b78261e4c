"""A network and hand-made features that judge together, as `training.fusion` fits them.

The card of such a run is that of a measure with the table `network`: what its network
takes. The network up to its layer `pool` is the LiteRT file of the weight set.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from iqa_zoo.engines.litert import LiteRT
from iqa_zoo.errors import CardError, ImageError
from iqa_zoo.images import Pixels, fit_by
from iqa_zoo.models import fusion
from iqa_zoo.registry import Entry

#: What the LiteRT file calls its output.
OUTPUT = "features"


def fused(entry: Entry) -> Callable[[Pixels, Mapping[str, np.ndarray]], float]:
    """What scores a photo with a run's arrays; its network is loaded once.

    Raises:
        CardError: the run's card names no file of its network.
        WeightsError: the file is missing, or is not what the card says.
    """
    content = entry.litert_bytes()
    if content is None:
        raise CardError(f"{entry.name}: the card names no file of its network.")
    features = extractor(content, entry.card["network"]["input"], entry.name)

    def score(image: Pixels, arrays: Mapping[str, np.ndarray]) -> float:
        rows = {block: each[None] for block, each in features(image).items()}
        return float(fusion.predict(rows, arrays)[0])

    return score


def extractor(
    content: bytes, rule: Mapping[str, Any], name: str
) -> Callable[[Pixels], dict[str, np.ndarray]]:
    """A function from a photo to its features by block, float64 (F,) each.

    It may be called from several threads.

    Args:
        content: a LiteRT file whose output `OUTPUT` has F numbers.
        rule: the network's input rule.
        name: of the model, for messages.
    """
    network = LiteRT(content, OUTPUT, name)

    def features(image: Pixels) -> dict[str, np.ndarray]:
        pooled = network.predict([fit_by(rule, image)]).ravel()
        if not np.isfinite(pooled).all():
            raise ImageError("non_finite", f"{name} sees no finite features in it.")
        return {"network": pooled.astype(np.float64), **fusion.hand_made(image)}

    return features
