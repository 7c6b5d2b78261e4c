"""`iqa-zoo completion`: what a shell needs to complete commands, options and models."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from iqa_zoo.cli import main

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print what a shell needs to complete commands, options and model names.

    \b
    Examples:
      iqa-zoo completion bash >> ~/.bashrc
      iqa-zoo completion zsh >> ~/.zshrc
      iqa-zoo completion fish > ~/.config/fish/completions/iqa-zoo.fish
    """
    click.echo(SHELLS[shell](main, {}, "iqa-zoo", "_IQA_ZOO_COMPLETE").source())
