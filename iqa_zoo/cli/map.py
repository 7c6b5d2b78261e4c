"""`iqa-zoo map`: a thin skin over `iqa_zoo.maps`."""

import io
import os
from pathlib import Path
from typing import Any

import click
import numpy as np

from iqa_zoo.cli import say
from iqa_zoo.errors import UsageError
from iqa_zoo.files import write_bytes

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
NUMBERS = (".npy", ".png")


def _map_names(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    from iqa_zoo.maps import map_models

    return [name for name in map_models() if name.startswith(typed)]


@click.command()
@click.argument("photo")
@click.option(
    "-o", "--out", metavar="FILE", help="The photo with its map, PNG or JPEG."
)
@click.option(
    "-m",
    "--model",
    shell_complete=_map_names,
    help="A model's name or a run's folder; DIQA where none is named.",
)
@click.option("--reference", metavar="FILE", help="Original, for models that compare.")
@click.option(
    "--raw",
    metavar="FILE",
    help="The numbers: .npy, or .png of one grey pixel a place, white is good.",
)
@click.option(
    "--range",
    "span",
    type=(float, float),
    metavar="LOW HIGH",
    help="The values that colours and greys tell apart; else the map's extremes.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "litert", "tensorflow"]),
    default="auto",
    show_default=True,
    help="What runs the network; auto takes TensorFlow where that has a GPU.",
)
def command(
    photo: str,
    out: str | None,
    model: str | None,
    reference: str | None,
    raw: str | None,
    span: tuple[float, float] | None,
    overwrite: bool,
    engine: str,
) -> int:
    """Show where a photo is bad, as a network sees it.

    The photo is judged in its own size. FILE is the photo in grey under colours, yellow
    where it is bad and blue where it is good, with a scale of numbers beside it. What
    the numbers are is printed.

    \b
    Examples:
      iqa-zoo map photo.jpg -o map.png -m run
      iqa-zoo map photo.jpg -o map.png --raw map.npy -m run

    Exit status: 0 written, 1 the photo cannot be judged, 2 wrong use, 3 a model, a
    weight file or the output is at fault.
    """
    if out is None and raw is None:
        raise click.UsageError("Name a picture (--out), a file of numbers (--raw).")
    kinds = [(out, tuple(PICTURES)), (raw, NUMBERS)]
    for name, suffixes in kinds:
        if name is not None:
            _check(name, suffixes, overwrite)

    from iqa_zoo.engines.quiet import stay_quiet
    from iqa_zoo.images import read_image
    from iqa_zoo.maps import overlay, quality_map
    from iqa_zoo.maps.drawing import value_span

    stay_quiet()  # what decoders and LiteRT have to say is in the messages
    found = quality_map(photo, model, reference=reference, engine=engine)
    low, high = value_span(found, span)
    if out is not None:
        _save(overlay(read_image(photo), found, span), out)
    if raw is not None:
        _write_numbers(found, raw, low, high)
    rows, columns = found.values.shape
    say(
        f"{found.model}: {columns} x {rows} places of {found.side} pixels a side, "
        f"{found.values.min():.3g} to {found.values.max():.3g}, "
        f"{found.direction.replace('_', ' ')}"
    )
    return 0


def _check(name: str, suffixes: tuple[str, ...], overwrite: bool) -> None:
    if Path(name).suffix.lower() not in suffixes:
        raise click.UsageError(f"End the name of {name} with {' or '.join(suffixes)}.")
    if os.path.lexists(name) and not overwrite:
        raise UsageError(f"{name} is there already: --overwrite replaces it.")


def _save(picture: Any, name: str) -> None:
    file = io.BytesIO()
    picture.save(file, PICTURES[Path(name).suffix.lower()])
    write_bytes(name, file.getvalue())


def _write_numbers(found: Any, name: str, low: float, high: float) -> None:
    from PIL import Image

    from iqa_zoo.maps.drawing import shares

    if Path(name).suffix.lower() == ".png":
        grey = np.rint(255 * (1 - shares(found, low, high))).astype(np.uint8)
        _save(Image.fromarray(grey), name)
        return
    file = io.BytesIO()
    np.save(file, found.values, allow_pickle=False)
    write_bytes(name, file.getvalue())
