"""`iqa-zoo completion`: what a shell needs to complete commands, options and models."""

import click


def model_names(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """For `shell_complete`: the models whose names begin as what was typed."""
    from iqa_zoo.registry import list_models

    return [name for name in list_models() if name.startswith(typed)]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what a shell needs to complete commands, options and model names.

    \b
    Examples:
      iqa-zoo completion bash >> ~/.bashrc
      iqa-zoo completion zsh >> ~/.zshrc
      iqa-zoo completion fish > ~/.config/fish/completions/iqa-zoo.fish
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from iqa_zoo.cli import main

    shells = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    click.echo(shells[shell](main, {}, "iqa-zoo", "_IQA_ZOO_COMPLETE").source())
