"""`iqa-zoo export`: a thin skin over `iqa_zoo.export`."""

import re
from typing import Any

import click

from iqa_zoo.cli import say, visible
from iqa_zoo.cli.completion import model_names
from iqa_zoo.cli.evaluate import counted


def _size(ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
    """(height, width) from HxW."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.lower())
    if not found or not all(map(int, found.groups())):
        raise click.BadParameter(f"{text} is no HEIGHTxWIDTH, such as 384x384.")
    return tuple(map(int, found.groups()))


@click.command()
@click.argument("model", shell_complete=model_names)
@click.option("-o", "--out", required=True, metavar="FILE", help="New file, or folder.")
@click.option(
    "--to",
    type=click.Choice(["savedmodel", "tflite", "mediapipe", "onnx"]),
    help="What is written; what FILE's suffix says where it is .tflite or .onnx.",
)
@click.option(
    "--quantize",
    type=click.Choice(["none", "float16", "dynamic", "int8"]),
    default="none",
    show_default=True,
    help="Weights of 16 or (dynamic) 8 bits, or all of 8 bits; tflite and mediapipe.",
)
@click.option(
    "--calibrate",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="For int8: a folder of 32 photos or more, like those that the file will see.",
)
@click.option(
    "--size",
    callback=_size,
    metavar="HxW",
    help="Height and width of the network's input; the card's where not given.",
)
@click.option(
    "--reduce/--no-reduce",
    default=None,
    help="Take pictures four times as long a side and reduce them in the graph, as the "
    "library would; the default for mediapipe.",
)
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="A folder of 200 photos or more to compare on; packaged ones where not given.",
)
def command(model: str, out: str, **options: Any) -> int:
    """Write a model as a file for phones, browsers or servers.

    The file takes raw RGB, 0 to 255; normalisation is inside. Before it gets its name
    it is compared with the network; where it is too far off there is no file. What was
    measured is printed, and stands in FILE.report.json and FILE.report.html.

    \b
    Examples:
      iqa-zoo export nima-mobilenetv2 -o app.tflite --to mediapipe
      iqa-zoo export nima-mobilenetv2 -o small.tflite --quantize int8 \\
          --calibrate photos
      iqa-zoo export runs/first -o served --to savedmodel
      iqa-zoo export runs/first -o model.onnx

    Exit status: 0 written, 2 wrong use, 3 it cannot be written as it should answer.
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    from iqa_zoo.exporting.export import export
    from iqa_zoo.exporting.report import lines

    found = export(model, out, **options, watch=counted("photo"))
    rows = [("bytes", f"{found['bytes']:,}"), *lines(found)]
    width = max(len(head) for head, _ in rows)
    for head, text in rows:
        click.echo(f"{head:<{width}}  {visible(text)}")
    say(f"wrote {out}; what was measured is in {out}.report.html")
    return 0
