"""`iqa-zoo models`: what can score, and what its card says."""

import json
from collections.abc import Mapping
from typing import Any

import click

from iqa_zoo import cards, registry
from iqa_zoo.cli.completion import model_names
from iqa_zoo.errors import UnknownNameError, UsageError

TASKS: Any = cards.SCHEMA["task"]


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
@click.option("--task", type=click.Choice(TASKS), help="Only models of this task.")
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

    A star marks the model that `iqa-zoo score` uses where none is named, and the weight
    set that stands for a model's name without a tag.

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
        click.echo(f"{'model':<{width}}{'task':<12}{'input':<11}parameters  weights")
        for row in rows:
            star = "*" if row["preferred"] else ""
            size = "x".join(map(str, row["size"]))
            weights = ", ".join(
                tag + "*" * (tag == row["default_weights"]) for tag in row["weights"]
            )
            click.echo(
                f"{row['name'] + star:<{width}}{row['task']:<12}{size:<11}"
                f"{row['parameters']:>10,}  {weights or 'none yet'}"
            )


def _row(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": card["title"],
        "task": card["task"],
        "size": card["input"]["size"],
        "parameters": card["parameters"],
        "weights": list(card.get("weights", {})),
        "default_weights": card.get("default_weights"),
        "preferred": card.get("preferred", False),
    }


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
    """Show the card of a model, or of a run's folder.

    \b
    Examples:
      iqa-zoo models show nima-mobilenetv2
      iqa-zoo models show runs/first --format json
    """
    card = registry.model_card(name)
    if form == "json":
        click.echo(json.dumps(card, indent=2))
        return
    click.echo(f"{name}: {card['title']}\n")
    click.echo(click.wrap_text(card["summary"], 79))
    paper, source, output = card["paper"], card["input"], card["output"]
    height, width = source["size"]
    low, high = output["scale"]
    lines = {
        "paper": f"{paper['authors']}: {paper['title']}. {paper['venue']}, "
        f"{paper['year']}. {paper['url']}",
        "input": f"{width} x {height} pixels; photos are fitted by {source['fit']}, "
        f"shrunk by {source['shrink']}, enlarged by {source['enlarge']}; at least "
        f"{source['least']} pixels a side",
        "output": f"{output['kind']} of {output['bins']} bins from {low} to {high}, "
        f"{output['direction'].replace('_', ' ')}",
        "parameters": f"{card['parameters']:,}",
    }
    click.echo()
    _print_lines(lines, "")
    click.echo("\nlimits")
    for limit in card["limits"]:
        click.echo(click.wrap_text(limit, 79, "  - ", "    "))
    for tag, weights in card.get("weights", {}).items():
        default = "  (default)" if tag == card.get("default_weights") else ""
        click.echo(f"\nweights {tag}{default}")
        _print_lines(weights, "  ")
    if not card.get("weights"):
        click.echo(
            f"\nNo trained weights yet: iqa-zoo train --model {name} makes some."
        )


def _print_lines(table: Mapping[str, Any], indent: str) -> None:
    """Keys on the left, values wrapped beside them; tables further in."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            click.echo(f"{indent}{key}")
            _print_lines(value, indent + "  ")
            continue
        left = f"{indent}{key:<14} "
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if " " in text:  # a hash stays in one piece
            click.echo(click.wrap_text(text, 79, left, " " * len(left)))
        else:
            click.echo(left + text)
