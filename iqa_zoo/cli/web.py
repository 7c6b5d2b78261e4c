"""`iqa-zoo web`: the page of examples/web with a model, and a server for it."""

import functools
import http.server
import importlib.resources
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iqa_zoo.cli import say
from iqa_zoo.cli.completion import model_names
from iqa_zoo.errors import MissingLibraryError, OutputError, UsageError
from iqa_zoo.files import sync_folder, write_bytes

if TYPE_CHECKING:
    from iqa_zoo.registry import Entry

# What the page takes from the npm package that examples/web/package-lock.json pins. The
# browser loads one of the two builds: not all can compute with SIMD instructions.
PACKAGE = "node_modules/@mediapipe/tasks-vision"
VENDOR = (
    "package.json",
    "vision_bundle.mjs",
    "wasm/vision_wasm_internal.js",
    "wasm/vision_wasm_internal.wasm",
    "wasm/vision_wasm_nosimd_internal.js",
    "wasm/vision_wasm_nosimd_internal.wasm",
)
PAGE = ("index.html", "app.js", "meaning.js", "style.css", "icon.svg")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option(
    "-m",
    "--model",
    shell_complete=model_names,
    help="A model's name or a run's folder; the default model where none is named.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Where to listen on this machine; 0 for any free port.",
)
@click.option("--no-serve", is_flag=True, help="Prepare FOLDER and end.")
def command(folder: str, model: str | None, port: int, no_serve: bool) -> None:
    """Judge photos in a browser: prepare a folder with a page, and serve it.

    FOLDER gets the page, the model as MediaPipe takes it, and MediaPipe's code for the
    browser, which npm fetches. From then on it needs no network and no Python: any
    static web host can serve it. A folder that was prepared earlier is served as it is.
    Photos never leave the browser.

    \b
    Examples:
      iqa-zoo web page
      iqa-zoo web page --model nima-mobilenetv2 --port 8080
      iqa-zoo web page --no-serve
    """
    path = Path(folder)
    if is_prepared(path):
        check_model(path, model)
    else:
        prepare(path, model)
    if not no_serve:
        serve(path, port)


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds all that the page needs.

    Raises:
        UsageError: it holds something else.
    """
    vendor = (f"vendor/{Path(name).name}" for name in VENDOR)
    needed = ("model.json", "model.tflite", *PAGE, *vendor)
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty, and is no page of `iqa-zoo web`: it lacks "
            f"{missing[0]}. Name a new folder."
        )
    return not missing


def check_model(folder: Path, model: str | None) -> None:
    """Raise UsageError where a prepared folder has another model than is named."""
    from iqa_zoo import registry

    try:
        there = json.loads((folder / "model.json").read_text("utf-8"))
        name, weights = there["name"], there["weights_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder}/model.json is damaged. Delete the folder to make it anew."
        ) from error
    if model is None:
        return
    entry = registry.resolve(model)
    if weights != (entry.weights or {}).get("sha256"):
        raise UsageError(
            f"{folder} was made for {name}, with other weights. Name a new folder for "
            f"{model}."
        )


def prepare(folder: Path, model: str | None) -> None:
    """Make the folder, which gets its name when it is complete.

    Raises:
        UsageError: the model gives no distribution, or is no network; or the folder is
            one that no other can replace.
        MissingLibraryError: npm is missing, or cannot fetch MediaPipe's code.
        OutputError: the disk does not take the folder.
    """
    from iqa_zoo import registry

    # The folder that is there, empty, goes when the finished one takes its name.
    if not folder.name or folder.is_symlink() or os.path.ismount(folder):
        raise UsageError(
            f"{folder} cannot be replaced by the finished folder. Name a new one."
        )
    entry = registry.resolve(model or registry.default_model())
    description = described(entry)
    npm = shutil.which(NPM[0])
    if npm is None:
        raise MissingLibraryError(
            "MediaPipe's code for the browser comes from npm, which is not installed.\n"
            "Install Node.js with npm (apt-get install npm, or https://nodejs.org) and "
            "give the command again."
        )
    with _new_folder(folder) as part:
        _fetch_vendor(npm, part)
        for name in PAGE:
            write_bytes(part / name, _page_file(name))
        text = json.dumps(description, indent=1, ensure_ascii=False)
        write_bytes(part / "model.json", text.encode())
        _export(entry.name, part / "model.tflite")


def described(entry: "Entry") -> dict[str, Any]:
    """What model.json says of a model: its card's part that the page needs.

    Raises:
        UsageError: the page cannot show what the model answers.
    """
    from iqa_zoo.opinions import bin_values

    output, weights = entry.output, entry.weights or {}
    if entry.is_measure or output["kind"] != "distribution":
        raise UsageError(
            f"{entry.name} gives no distribution of marks, which the page shows. Name "
            "a network such as nima-mobilenetv2."
        )
    scale = tuple(output["scale"])
    return {
        "name": entry.label,
        "weights_sha256": weights.get("sha256"),
        "title": entry.card["title"],
        "task": entry.task,
        "scale": scale,
        "direction": output["direction"],
        "labels": [f"{value:g}" for value in bin_values(scale, output["bins"])],
        "least": entry.input["least"],
        "limits": [*entry.card["limits"], *weights.get("limits", ())],
        "quantiles": weights.get("quantiles"),
        "interval": weights.get("interval"),
    }


def _export(model: str, file: Path) -> None:
    """Write the model alone: its report names this machine, and is not for a host."""
    import iqa_zoo
    from iqa_zoo.cli.evaluate import counted
    from iqa_zoo.engines.quiet import stay_quiet

    stay_quiet()  # TensorFlow says what it was compiled for
    say(f"Exporting {model} for MediaPipe, which takes some minutes ...")
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        made = Path(folder) / file.name
        iqa_zoo.export(model, made, to="mediapipe", watch=counted("photo"))
        made.rename(file)


def _page_file(name: str) -> bytes:
    return importlib.resources.files("iqa_zoo.web_page").joinpath(name).read_bytes()


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside, which gets the name `folder` at the end, or is removed."""
    part = folder.with_name(f".{folder.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        yield part
        if folder.is_dir():
            folder.rmdir()  # it is empty, and Windows renames onto nothing
        part.rename(folder)
        sync_folder(folder.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"Cannot make the folder {folder}: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fetch_vendor(npm: str, part: Path) -> None:
    """Bring MediaPipe's code for the browser to the folder `vendor`, by the lock."""
    from iqa_zoo.store import OFFLINE_VARIABLE, is_offline

    work = part / "npm"
    work.mkdir()
    for name in ("package.json", "package-lock.json"):
        write_bytes(work / name, _page_file(name))
    offline = ["--offline"] if is_offline() else []
    say("Fetching MediaPipe's code for the browser with npm ...")
    done = subprocess.run(
        [npm, *NPM[1:], *offline],
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = "\n".join(done.stderr.strip().splitlines()[:5])
        hint = f"; {OFFLINE_VARIABLE} forbids the network" if offline else ""
        raise MissingLibraryError(
            f"npm could not fetch MediaPipe's code for the browser{hint}:\n{lines}"
        )
    (part / "vendor").mkdir()
    for name in VENDOR:
        data = (work / PACKAGE / name).read_bytes()
        write_bytes(part / "vendor" / Path(name).name, data)
    shutil.rmtree(work)


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Said here, because a system's own table may lack them or have others.
    extensions_map = {  # noqa: RUF012
        "": "application/octet-stream",
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # the folder may be made anew
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless a browser no longer wants the answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(folder: Path, port: int) -> None:
    """Serve a folder to browsers on this machine until interrupted.

    Raises:
        UsageError: the port is taken.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        server = _Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(
            f"Cannot listen on port {port} ({error.strerror or error}). Name another "
            "one, or 0 for any that is free."
        ) from error
    with server:
        click.echo(f"http://127.0.0.1:{server.server_port}/")
        say("Ctrl-C ends it.")
        server.serve_forever()
