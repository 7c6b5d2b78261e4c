"""RankIQA: a network that ranks distorted pictures before it hears any opinion.

Liu, van de Weijer and Bagdanov, ICCV 2017, arXiv 1707.08347. Which of two pictures is
the worse one needs no people, where both were made from one photo by one distortion, at
two levels. So the stage "ranking" learns the order from pictures as `iqa-zoo distort`
makes them, and the stage "opinions" the scale from what people said of some more.

Differences from the paper: of a picture of more than 224 pixels a side the network on
VGG16 judges every part of 224 x 224 pixels, 32 apart, and gives the mean (fc6 and fc7
are convolutions), where the authors take 30 random crops; a batch holds groups of any
photos, theirs of one; the last layer learns at the rate of the others, theirs ten times
as fast. The network on MobileNetV2 is not theirs.

Kinds whose level is no order ("mean_shift" and "contrast" of `distortions`) have no
place in a set to rank.
"""

from collections.abc import Sequence

import keras

from iqa_zoo.errors import UsageError
from iqa_zoo.models.backbones import mobilenetv2 as v2
from iqa_zoo.models.backbones import vgg16 as vgg
from iqa_zoo.models.layers import score_head
from iqa_zoo.models.losses import OpinionLoss

DROPOUT = 0.5  # VGG16's own
#: What a head's answer of 1 is on the scale of 0 to 1. The paper's rates and margin are
#: for heads that answer with 0 to 100; on the mobile network a fifth is what NIMA's
#: rates suit.
PAPER_UNIT, MOBILE_UNIT = 0.01, 0.2


def vgg16(
    *, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """RankIQA on VGG16 with fc6 and fc7, as in the paper.

    It takes red, green and blue as they are, without ImageNet's means taken away: what
    the paper does with blue, green and red.

    Args:
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.5).
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3), 224
        pixels a side or more, in, `score` float32 (batch, 1) out.

    Raises:
        UsageError: an argument out of range.
    """
    if size and min(size) < vgg.FC7_LEAST:
        raise UsageError(
            f"size is {tuple(size)}; rankiqa-vgg16 takes {vgg.FC7_LEAST} pixels a side "
            "or more."
        )
    image = _image(size)
    features = vgg.fc7(image, centred=False)
    score = score_head(features, dropout=dropout, unit=PAPER_UNIT)
    return _compiled(image, score, "rankiqa_vgg16")


def mobilenetv2(
    *, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """RankIQA on MobileNetV2; arguments, result and errors as `vgg16`, of any size."""
    image = _image(size)
    score = score_head(v2.features(image), dropout=dropout, unit=MOBILE_UNIT)
    return _compiled(image, score, "rankiqa_mobilenetv2")


def _image(size: Sequence[int] | None) -> keras.KerasTensor:
    return keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")


def _compiled(
    image: keras.KerasTensor, score: keras.KerasTensor, name: str
) -> keras.Model:
    model = keras.Model(image, score, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mse": 1.0}, scale=(0, 1)),
    )
    return model
