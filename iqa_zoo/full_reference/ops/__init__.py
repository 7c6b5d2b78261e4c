"""What the full-reference metrics are written in: primitives that exist twice.

A metric is written once, as a function of a module of primitives, a reference and a
distorted image. `numpy_ops` has them for NumPy with OpenCV and SciPy and never imports
TensorFlow; `tensorflow_ops` has them for TensorFlow, differentiable, for graphs and for
sizes that are only known when they run. `apply` chooses by the type of the images.

What a primitive takes and gives is a *plane*: float32, on 0..255 unless the metric
rescales it. For NumPy it is one image, (height, width) or (height, width, channels);
for TensorFlow a batch, (batch, height, width, channels). Python's operators work on
planes. A *value* is one number an image: a float for NumPy, (batch,) for TensorFlow;
`spread` makes it fit for operators with planes. Both modules have the same names with
the same arguments:

- in: `luma`, `channels`, `mixed`, `double`
- filters: `separable`, `filtered`, `box`, `padded`, `cropped`, `together`
- sampling: `every`, `halved`, `downsampled`, `expanded`, `imresize`
- elementwise: `sqrt`, `power`, `magnitude`, `slope`, `absolute`, `maximum`, `minimum`,
  `where`, `exp`, `log`, `cos`, `sin`, `arctan2`
- one number an image: `mean`, `total`, `deviation`, `mean_square`, `mean_absolute`,
  `largest_absolute`, `largest`, `smallest`, `median`, `spread`
- spectra: `spectrum`, `weighted`, `response`
- shapes: `size`, `rows`, `columns`, `constant`
- `tiled`, which runs a piece of a metric on strips that fit the cache

Padding is "valid" (no output where the window leaves the image), "zero", "replicate",
"symmetric" (the border pixel is repeated) or "reflect" (it is not). Filters correlate:
kernels are not turned. The middle of an even window is its right or lower one.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from iqa_zoo.full_reference.ops import numpy_ops
from iqa_zoo.full_reference.ops.checks import check_range

#: A NumPy array or a tensor; see above.
Plane = Any

_TENSORS = {"tensorflow", "keras"}


def dissimilarity(first: Plane, second: Plane, constant: Plane | float) -> Plane:
    """1 - (2ab + c) / (a² + b² + c), without the cancellation where a is near b."""
    share = first - second
    share *= share
    whole = first * first
    whole += second * second
    whole += constant
    share /= whole
    return share


def similarity(first: Plane, second: Plane, constant: float) -> Plane:
    """(2ab + c) / (a² + b² + c): exactly 1 where a is b."""
    return 1 - dissimilarity(first, second, constant)


def apply(
    core: Callable[..., tuple[Any, Any]],
    reference: Any,
    distorted: Any,
    *,
    least: int,
    data_range: float,
    return_map: bool = False,
    name: str = "",
    **arguments: Any,
) -> Any:
    """The scores that a metric gives to images.

    Args:
        core: the metric: `core(ops, reference, distorted, **arguments)` with a module
            of primitives and two images on 0..255, from which `luma`, `channels` and
            `mixed` make planes. Gives a value and a map, a function that makes the map
            where that is extra work, or None.
        reference: (batch, height, width, channels), (height, width, channels) or
            (height, width), of 1 or 3 channels (RGB), uint8 or floating.
        distorted: of the same shape.
        least: the smallest side that the metric takes, in pixels.
        data_range: the value of white; black is 0.
        return_map: give the map too.
        name: the metric's in error messages, where it is not that of `core` without
            underscores.
        **arguments: for `core`.

    Returns:
        One number an image: float64 (batch,), or a float for one image; from tensors
        float32. With `return_map` a tuple of that and the map, float32 of (batch,
        height, width), or without batch for one image; its sides may be smaller than
        the image's.

    Raises:
        UsageError: the shapes differ, or `data_range` is not a positive number.
        ImageError: code "not_an_image" for other ranks, types, numbers of channels or,
            of arrays, values outside 0..data_range; "non_finite" for NaN and infinity
            in arrays; "too_small" below `least`, as far as the size is known.
    """
    name = name or core.__name__.strip("_")
    check_range(data_range)
    ops = backend(reference, distorted)
    if ops is not numpy_ops and ops.is_symbolic(reference, distorted):
        again = partial(
            apply,
            core,
            least=least,
            data_range=data_range,
            return_map=return_map,
            name=name,
            **arguments,
        )
        return ops.in_a_layer(again, reference, distorted)
    pair = ops.pair_of(name, reference, distorted, data_range, least)
    scores, maps = ops.run(partial(core, ops, **arguments), *pair, return_map)
    return (scores, maps) if return_map else scores


def backend(*images: Any) -> ModuleType:
    """The module of primitives for these images; imports TensorFlow for its tensors."""
    if any(_is_tensor(image) for image in images):
        from iqa_zoo.full_reference.ops import tensorflow_ops

        return tensorflow_ops
    return numpy_ops


def _is_tensor(image: Any) -> bool:
    kinds = type(image).__mro__
    return any(kind.__module__.partition(".")[0] in _TENSORS for kind in kinds)
