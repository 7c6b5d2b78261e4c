"""DeepBIQ: a support vector regression on an ImageNet network's features of crops.

Bianco, Celona, Napoletano and Schettini, Signal, Image and Video Processing 2018, arXiv
1602.05531. The network is fine-tuned to quality, its features of 30 random crops of a
photo are taken, a linear regression judges each crop, and the photo's score is the mean
of its crops'.

Here the regression is the network's last layer. It is linear, so the mean of the crops'
scores is the score of their mean features, and the mean over the whole feature map
stands for all crops at once. It learns from random crops, each with its photo's
opinion; the absolute error with a decay of the weights is what such a machine minimises
where no error is small enough to be forgiven (epsilon = 0).

Differences from the paper: EfficientNet-Lite0 for AlexNet, which has no weights here;
fine-tuning to the opinions themselves and not to five classes of them; the decay is
fixed and not chosen by cross-validation; photos are brought to one size first.
"""

from collections.abc import Sequence

import keras

from iqa_zoo.models.backbones import efficientnet_lite0 as lite0
from iqa_zoo.models.layers import score_head
from iqa_zoo.models.losses import OpinionLoss

DROPOUT = 0.5  # AlexNet's own
UNIT = 0.2  # what a head's answer of 1 is on the scale of 0 to 1


def deepbiq(
    *, dropout: float = DROPOUT, size: Sequence[int] | None = None
) -> keras.Model:
    """DeepBIQ on EfficientNet-Lite0.

    Args:
        dropout: share of the features dropped in training, 0 <= dropout < 1 (0.5).
        size: (height, width) for a static input size, or None for any (None).

    Returns:
        A compiled network: `image` float32 RGB 0..255 (batch, height, width, 3) in,
        `score` float32 (batch, 1) out.

    Raises:
        UsageError: an argument out of range.
    """
    image = keras.Input((*(size or (None, None)), 3), name="image", dtype="float32")
    score = score_head(lite0.features(image), dropout=dropout, unit=UNIT)
    model = keras.Model(image, score, name="deepbiq")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=OpinionLoss({"mse": 1.0}, scale=(0, 1)),
    )
    return model
