"""The command `iqa-zoo`: one file a command, imported when the command is called.

A command returns its exit status, or None for 0, and raises `IqaError` for what ends
the run. Results go to stdout, all else to stderr.
"""

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

import click

import iqa_zoo
from iqa_zoo.errors import (
    ImageError,
    IqaError,
    MissingLibraryError,
    MissingWeightsError,
    OpinionError,
    UnknownNameError,
    UsageError,
)

# Name: module with the click command `command`, and its line in the list of commands.
COMMANDS = {
    "score": ("iqa_zoo.cli.score", "Score photos."),
    "compare": ("iqa_zoo.cli.compare", "Compare images with their originals."),
    "diagnose": ("iqa_zoo.cli.diagnose", "Say what is wrong with photos."),
    "map": ("iqa_zoo.cli.map", "Show where a photo is bad."),
    "models": ("iqa_zoo.cli.models", "List the models, or show the card of one."),
    "train": ("iqa_zoo.cli.train", "Train a model on your own opinion scores."),
    "evaluate": ("iqa_zoo.cli.evaluate", "Compare a model's scores with opinions."),
    "export": ("iqa_zoo.cli.export", "Write a model as a file for phones and servers."),
    "distort": ("iqa_zoo.cli.distort", "Write distorted pictures of photos."),
    "screens": ("iqa_zoo.cli.screens", "Draw pictures of screens."),
    "web": ("iqa_zoo.cli.web", "Judge photos in a browser."),
    "weights": ("iqa_zoo.cli.weights", "List, fetch, add and check weight files."),
    "completion": ("iqa_zoo.cli.completion", "Print what a shell needs to complete."),
}

SOME_FAILED = 1
WRONG_USE = 2
BROKEN = 3  # a model, weight or output problem that ends the run
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
TERMINATED = 143  # 128 + SIGTERM
READER_GONE = 141  # 128 + SIGPIPE

# The first that fits counts.
STATUS = (
    (UsageError, WRONG_USE),
    (OpinionError, WRONG_USE),
    (ImageError, SOME_FAILED),
    (IqaError, BROKEN),
    (OSError, BROKEN),
)


# Their messages may have several lines. In others a line break is part of a name.
REPORTS = (OpinionError, MissingLibraryError, MissingWeightsError)


class _ReaderGone(Exception):
    """Nobody reads standard output any more."""


class _Program(click.Group):
    """Commands from `COMMANDS`, and every way for a run to end."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(
                COMMANDS[cmd_name][0]
            ).command
            return command
        if ctx.resilient_parsing or cmd_name.startswith("-"):
            return None
        raise UnknownNameError("command", cmd_name, COMMANDS)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGone from error  # click would end with status 1

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run, and leave with one of the statuses above and without a traceback."""
        # TensorFlow reads it when it is imported, if ever.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        extra["standalone_mode"] = False
        _show_log()
        _end_in_order()
        try:
            _exit(super().main(args, "iqa-zoo", **extra) or 0)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            _exit(INTERRUPTED)
        except _ReaderGone:
            _drop(sys.stdout)
            sys.exit(READER_GONE)
        except tuple(kind for kind, _ in STATUS) as error:
            _say_error(error)
            if not isinstance(error, IqaError):
                _drop(sys.stdout)
            sys.exit(next(status for kind, status in STATUS if isinstance(error, kind)))


def say(text: str, before: str = "iqa-zoo: ") -> None:
    """One line on stderr, with the program's name before it.

    Where stderr cannot be written, as when it goes to a file on the same full disk, the
    exit status says enough.
    """
    try:
        click.echo(f"{before}{visible(text)}", err=True)
    except OSError:
        _drop(sys.stderr)


def _say_error(error: BaseException) -> None:
    text = str(error)
    first, *more = text.split("\n") if isinstance(error, REPORTS) else [text]
    say(f"error: {first}")
    for line in more:
        say(line, "  ")


class _Say(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def _show_log() -> None:
    """Say what the library logs, such as why the first score takes its time."""
    logger = logging.getLogger("iqa_zoo")
    if not any(isinstance(handler, _Say) for handler in logger.handlers):
        logger.addHandler(_Say())
        logger.setLevel(logging.INFO)


def _end_in_order() -> None:
    """Let what is being written be put in order when the program is told to end."""

    def end(number: int, frame: Any) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)  # the second time it ends at once
        sys.exit(TERMINATED)

    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, end)


def _exit(status: int) -> NoReturn:
    """Leave; where interrupted, without waiting for images that are being read."""
    if status in (INTERRUPTED, TERMINATED) and sys.stdout is sys.__stdout__:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def visible(text: str) -> str:
    """`text` with line breaks, control characters and broken bytes as escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def _drop(stream: Any) -> None:
    # What is still buffered would be written, and fail, once more at exit.
    with contextlib.suppress(AttributeError, OSError):  # it is closed, or a test's
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(iqa_zoo.__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Image quality scores from small networks, trained on people's opinions.

    \b
    Examples:
      iqa-zoo score photo.jpg
      iqa-zoo score photos/ -o scores.csv
      iqa-zoo models

    Exit status: 0 all went well, 1 some images failed, 2 wrong use, 3 a model, a weight
    file or the output is at fault, 130 interrupted.
    """
