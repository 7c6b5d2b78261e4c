"""`iqa-zoo weights`: what the store holds, and how a file gets into it."""

import click

from iqa_zoo import cards, store
from iqa_zoo.errors import WeightsError


@click.group()
def command() -> None:
    """List, add and check weight files.

    \b
    Example:
      iqa-zoo weights add mobilenetv2.imagenet mobilenet_v2_imagenet_folded.npz
    """


@command.command("list")
def list_sets() -> None:
    """List all weight sets and where their files are.

    \b
    Example:
      iqa-zoo weights list
    """
    for name, folder, expected in _sets():
        path = folder / expected["file"]
        state = str(path) if path.exists() else "missing"
        click.echo(f"{name:<40} {expected['bytes'] / 1e6:6.1f} MB  {state}")


@command.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def add(name: str, file: str) -> None:
    """Copy FILE into the store as the weight set NAME, if it is what the card says.

    \b
    Example:
      iqa-zoo weights add efficientnet-lite0.imagenet efficientnet_lite0_imagenet.npz
    """
    click.echo(f"{name} is now in {store.add(name, file)}")


@command.command()
def verify() -> None:
    """Check every weight file that is there against its card.

    Exit status 3 if one is not what its card says.

    \b
    Example:
      iqa-zoo weights verify
    """
    bad = []
    for name, folder, expected in _sets():
        path = folder / expected["file"]
        if not path.exists():
            continue
        try:
            store.read_checked(path, expected)
            click.echo(f"{name:<40} ok")
        except WeightsError as error:
            bad.append(name)
            click.echo(f"{name:<40} {error}")
    if bad:
        raise WeightsError(f"{len(bad)} damaged: {', '.join(bad)}.")


def _sets():
    """Name, folder and file table of every weight file that cards name."""
    for name, card in cards.all_cards().items():
        for tag, weights in card.get("weights", {}).items():
            yield f"{name}.{tag}", store.own_folder(), weights
            if "litert" in weights:
                yield f"{name}.{tag} (LiteRT)", store.own_folder(), weights["litert"]
    for name in cards.backbone_cards():
        path = store.imagenet_file(name)
        expected = cards.backbone_card(name)["weights"]["imagenet"]
        yield f"{name}.imagenet", path.parent, expected
