"""`iqa-zoo weights`: what is here, what others publish, and how it gets here."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from iqa_zoo import cards, registry, store
from iqa_zoo.cli import say
from iqa_zoo.errors import WeightsError


@click.group()
def command() -> None:
    """List, fetch, add and check weight files.

    Models score with files that come with their package, or that others publish: these
    are kept in the store, a folder that IQA_ZOO_HOME moves. IQA_ZOO_OFFLINE=1 forbids
    the network.

    \b
    Examples:
      iqa-zoo weights list
      iqa-zoo weights fetch nima-mobilenet.ava
      iqa-zoo weights add mobilenetv2.imagenet mobilenet_v2_imagenet_folded.npz
    """


@command.command("list")
def list_sets() -> None:
    """List all weight files, their sizes, and whether they are here.

    \b
    Example:
      iqa-zoo weights list
    """
    sets = list(_sets())
    width = max(len(name) for name, *_ in sets)
    click.echo(f"{'file':<{width}}  {'MB':>7}  state")
    for name, path, expected in sets:
        size = f"{expected.get('bytes', expected.get('bytes_at_most')) / 1e6:.1f}"
        if "bytes" not in expected:
            size = f"<{size}"
        click.echo(f"{name:<{width}}  {size:>7}  {_state(path, expected)}")
    say(f"the store is {store.home()}")


def _names(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """For `shell_complete`: what others publish, by the beginning of its name."""
    return [name for name in store.published_sets() if name.startswith(typed)]


@command.command()
@click.argument("name", shell_complete=_names)
def fetch(name: str) -> None:
    """Fetch the weight set NAME from its publisher into the store.

    A file that is there already and is what its card says is left as it is.

    \b
    Example:
      iqa-zoo weights fetch nima-mobilenet.ava
    """
    expected = store.published_set(name)
    path = store.published_file(expected)
    with contextlib.suppress(WeightsError):
        store.read_checked(path, expected)
        click.echo(f"{name} is in {path}")
        return
    with _bar() as progress:
        path = store.fetch(expected, name, progress)
    click.echo(f"{name} is now in {path}")


@command.command()
@click.argument("name", shell_complete=_names)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def add(name: str, file: str) -> None:
    """Copy FILE into the store as the weight set NAME, if it is what the card says.

    \b
    Example:
      iqa-zoo weights add efficientnet-lite0.imagenet efficientnet_lite0_imagenet.npz
    """
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    click.echo(f"{name} is now in {registry.add(name, file)}")


@command.command()
def verify() -> None:
    """Check every weight file that is here against its card.

    Exit status 3 if one is not what its card says.

    \b
    Example:
      iqa-zoo weights verify
    """
    bad = []
    for name, path, expected in _sets():
        if "where" in expected and not path.exists():  # never fetched
            continue
        try:
            store.read_checked(path, expected)
            click.echo(f"{name}: ok")
        except WeightsError as error:
            bad.append(name)
            click.echo(f"{name}: {error}")
    if bad:
        raise WeightsError(f"{len(bad)} damaged: {', '.join(bad)}.")


def _sets() -> Iterator[tuple[str, Path, Mapping[str, Any]]]:
    """Name, place and table of every weight file that cards name."""
    models = {
        name: (card, store.own_folder()) for name, card in cards.own_cards().items()
    }
    models |= {name: (x.card, x.folder) for name, x in cards.added_cards().items()}
    for name, (card, folder) in models.items():
        for tag, weights in card.get("weights", {}).items():
            if weights["kind"] == "external":
                continue
            yield f"{name}.{tag}", folder / weights["file"], weights
            for part, said in (("litert", "LiteRT"), ("seen", "images seen")):
                if part in weights:
                    expected = weights[part]
                    yield f"{name}.{tag} ({said})", folder / expected["file"], expected
    for name, expected in store.published_sets().items():
        yield name, store.published_file(expected), expected


def _state(path: Path, expected: Mapping[str, Any]) -> str:
    if "where" not in expected:
        return "shipped" if path.exists() else "missing"
    if path.exists():
        return "in the store"
    return "can be fetched" if "url" in expected else "must be added"


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int | None], None] | None]:
    """What shows the progress of a download on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with contextlib.ExitStack() as stack:
        bars: list[Any] = []

        def show(done: int, total: int | None) -> None:
            if not bars:  # the first bytes come after the notice
                bar = tqdm(
                    total=total,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    file=sys.stderr,
                )
                bars.append(stack.enter_context(bar))
            bars[0].update(done - bars[0].n)

        yield show
