"""The options that `train` and `evaluate` share: where the opinions are."""

from collections.abc import Callable
from typing import Any

import click


def opinion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --labels, --images and the options that say what the columns mean."""
    for option in reversed(
        (
            click.option(
                "--labels",
                required=True,
                type=click.Path(),
                help="CSV table of opinion scores, one row an image.",
            ),
            click.option(
                "--images",
                required=True,
                type=click.Path(),
                help="Folder of the images that the table names.",
            ),
            click.option(
                "--image-column",
                default="image",
                show_default=True,
                help="Names of the images, as paths within the folder.",
            ),
            click.option(
                "--mos-column",
                default="mos",
                show_default=True,
                help="Mean opinion scores.",
            ),
            click.option(
                "--std-column",
                default="std",
                show_default=True,
                help="Standard deviations of the ratings, used where present.",
            ),
            click.option(
                "--group-column",
                help="What a split must not tear apart: reference picture, prompt.",
            ),
            click.option(
                "--range",
                "scale",
                nargs=2,
                type=float,
                metavar="LOW HIGH",
                help="Lowest and highest possible score; taken from the scores if "
                "not given.",
            ),
            click.option(
                "--dmos", is_flag=True, help="The scores are DMOS: low is good."
            ),
        )
    ):
        command = option(command)
    return command


def read(
    labels: str,
    images: str,
    image_column: str,
    mos_column: str,
    std_column: str,
    group_column: str | None,
    scale: tuple[float, float] | None,
    dmos: bool,
) -> Any:
    """The table as `Labels`, after telling the user how it was understood."""
    from iqa_zoo.data.manifest import read_labels

    table = read_labels(
        labels,
        images,
        image=image_column,
        mos=mos_column,
        std=std_column,
        group=group_column,
        range=scale,
        direction="lower_is_better" if dmos else "higher_is_better",
    )
    low, high = table.range
    click.echo(
        f"{labels}: {len(table.names)} images, scores {low:g} to {high:g}"
        f"{' (--range states another range)' if table.range_inferred else ''}, "
        f"{'low' if dmos else 'high'} is good, "
        f"{'with' if table.std is not None else 'without'} standard deviations",
        err=True,
    )
    return table
