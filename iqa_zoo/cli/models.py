"""`iqa-zoo models`: what can score, and what its card says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from iqa_zoo import cards, registry, store
from iqa_zoo.cli import say, visible
from iqa_zoo.cli.completion import model_names
from iqa_zoo.errors import UnknownNameError, UsageError

TASKS: Any = cards.MEASURED


class _ListByDefault(click.Group):
    """`models` and `models PATTERN` mean `models list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def command() -> None:
    """List the models, or show the card of one.

    \b
    Examples:
      iqa-zoo models
      iqa-zoo models 'nima-*'
      iqa-zoo models show nima-mobilenetv2
    """


@command.command("list")
@click.argument("pattern", default="*")
@click.option("--task", type=click.Choice(TASKS), help="Only what judges this.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    default="table",
    show_default=True,
    help="How the models are written.",
)
def list_cards(pattern: str, task: str | None, form: str) -> None:
    """List the models whose names match PATTERN.

    A model has a line for each task and input size of its weight sets. A star marks the
    model that `iqa-zoo score` uses where none is named, and the weight set that stands
    for a model's name without a tag; a plus marks weight sets that others publish and
    that are not on this machine yet. A model without weights must be trained first.

    \b
    Examples:
      iqa-zoo models list
      iqa-zoo models list 'nima-*' --format jsonl
    """
    known = registry.list_models(task=task)
    if not known:
        raise UsageError(f"No model has the task {task} yet. Leave out --task.")
    names = registry.list_models(pattern, task=task)
    if not names:
        raise UnknownNameError("model", pattern, known)
    rows = [_row(name, registry.model_card(name)) for name in names]
    if form == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
    else:
        width = max(len(name) for name in names) + 2
        wide = max(len(taken) for row in rows for _, taken in _groups(row)) + 1
        click.echo(
            f"{'model':<{width}}{'task':<11}{'input':<{wide}} parameters  weights"
        )
        for row in rows:
            star = "*" if row["preferred"] else ""
            for (judged, taken), tags in _groups(row).items():
                if task in (None, judged):
                    count = row["parameters"]
                    without = "none: train it" if count else "needs none"
                    click.echo(
                        f"{row['name'] + star:<{width}}{judged:<11}{taken:<{wide}}"
                        f"{f'{count:,}' if count else '-':>11}  "
                        f"{', '.join(tags) or without}"
                    )
        if any(row["preferred"] or row["default_weights"] for row in rows):
            say("* is used where no model, or no weight set of the model, is named")
        if any(set(row["weights"]) - set(row["here"]) for row in rows):
            say("+ is not here yet; `iqa-zoo weights list` says how to get it")


def _row(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    sets = card.get("weights", {})
    return {
        "name": name,
        "title": card["title"],
        "task": card["task"],
        "size": card["input"]["size"],
        "fit": card["input"].get("fit"),
        "pair": card["input"].get("pair", False),
        "parameters": card.get("parameters"),
        "weights": list(sets),
        "tasks": {tag: registry.tasks(card)[tag] for tag in sets},
        "sizes": {
            tag: weights.get("input", card["input"])["size"]
            for tag, weights in sets.items()
        },
        "here": [tag for tag, weights in sets.items() if _is_here(weights)],
        "default_weights": card.get("default_weights"),
        "preferred": card.get("preferred", False),
    }


def _is_here(weights: Mapping[str, Any]) -> bool:
    """Whether a weight set came with its package or is in the store already."""
    return weights["kind"] != "external" or store.published_file(weights).exists()


def _groups(row: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Tags by task and input size, which are the model's own where it has no tags."""
    groups: dict[tuple[str, str], list[str]] = {}
    for tag in row["weights"]:
        key = (row["tasks"][tag], _taken(row, row["sizes"][tag]))
        marks = "*" * (tag == row["default_weights"]) + "+" * (tag not in row["here"])
        groups.setdefault(key, []).append(tag + marks)
    return groups or {(row["task"], _taken(row, row["size"])): []}


def _taken(row: Mapping[str, Any], size: Sequence[int] | str) -> str:
    """What a model takes: photos of a size, in their own, or with their originals."""
    if row["pair"]:
        return "pair"
    native = "native" in (row["fit"], size)
    return "native" if native else "x".join(map(str, size))


@command.command()
@click.argument("name", shell_complete=model_names)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or all of the card as JSON.",
)
def show(name: str, form: str) -> None:
    """Show the card of a model, with one weight set or all, or of a run's folder.

    \b
    Examples:
      iqa-zoo models show nima-mobilenetv2
      iqa-zoo models show runs/first --format json
    """
    card = registry.model_card(name)
    if form == "json":
        click.echo(json.dumps(card, indent=2))
        return
    entry = registry.resolve(name, None)
    if tag := name.removeprefix(f"{entry.name}.") if name != entry.name else "":
        entry = registry.resolve(name)
        card |= {"task": entry.task, "input": entry.input}
        card["weights"] = {tag: card["weights"][tag]}
    card = _visible(card)  # it may come from a stranger
    click.echo(f"{name}: {card['title']}\n")
    click.echo(click.wrap_text(card["summary"], 79))
    output = entry.output
    lines = {}
    if paper := card.get("paper"):
        lines["paper"] = (
            f"{paper['authors']}: {paper['title']}. {paper['venue']}, {paper['year']}. "
            f"{paper['url']}"
        )
    lines |= {
        "task": card["task"],
        "input": _said_input(card["input"]),
        "output": _said_output(output),
    }
    if "parameters" in card:
        lines["parameters"] = f"{card['parameters']:,}"
    click.echo()
    _print_lines(lines, "")
    click.echo("\nlimits")
    for limit in card["limits"]:
        click.echo(click.wrap_text(limit, 79, "  - ", "    "))
    for tag, weights in card.get("weights", {}).items():
        default = "  (default)" if tag == card.get("default_weights") else ""
        click.echo(f"\nweights {tag}{default}")
        if "input" in weights:
            weights = {**weights, "input": _said_input(weights["input"])}
        _print_lines(weights, "  ")
    if not card.get("weights") and not entry.is_measure:
        click.echo(
            f"\nNo trained weights yet: iqa-zoo train --model {name} makes some."
        )


def _visible(value: Any) -> Any:
    """A card's value with control characters in its texts as escapes."""
    if isinstance(value, Mapping):
        return {visible(key): _visible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_visible(inner) for inner in value]
    return visible(value) if isinstance(value, str) else value


def _said_input(rule: Mapping[str, Any]) -> str:
    """How a photo becomes the model's input, in words."""
    pair = "; and its reference likewise" if rule.get("pair") else ""
    if "native" in (rule["size"], rule.get("fit")):
        return (
            f"the photo in its own size; at least {rule['least']} pixels a side{pair}"
        )
    height, width = rule["size"]
    return (
        f"{width} x {height} pixels; photos are fitted by {rule['fit']}, shrunk by "
        f"{rule['shrink']}, enlarged by {rule['enlarge']}; at least {rule['least']} "
        f"pixels a side{pair}"
    )


def _said_output(output: Mapping[str, Any]) -> str:
    """What the model answers with, in words."""
    if output["kind"] == "classes":
        return f"which of {len(output['classes'])} distortions a photo has"
    kind = output["kind"] + (f" of {output['bins']} bins" if "bins" in output else "")
    bounds = " from {} to {}".format(*output["scale"]) if "scale" in output else ""
    direction = {"neither": "neither high nor low is better"}.get(
        output["direction"], output["direction"].replace("_", " ")
    )
    return f"{kind}{bounds}, {direction}"


def _print_lines(table: Mapping[str, Any], indent: str) -> None:
    """Keys on the left, values wrapped beside them; tables further in."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            click.echo(f"{indent}{key}")
            _print_lines(value, indent + "  ")
            continue
        left = f"{indent}{key:<14} "
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            texts = [", ".join(map(str, texts))]
        for text in texts:
            if " " in text:  # a hash stays in one piece
                click.echo(click.wrap_text(text, 79, left, " " * len(left)))
            else:
                click.echo(left + text)
            left = " " * len(left)
