"""Ray itself: loaded when it is wanted, started quietly, and stopped again."""

import contextlib
import importlib.util
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from iqa_zoo.engines.quiet import quiet_native
from iqa_zoo.errors import MissingLibraryError, OutputError
from iqa_zoo.threads import cores

# Read when Ray is imported and started, by it and by the processes that it starts.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else it reports to its makers
    # On macOS and Windows a Ray that was not asked to span machines listens to no other
    # machine. On Linux it would: whoever reaches its ports can run programs.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # it tells of inner works on stderr
}
_INSTALL = "Install it: pip install 'iqa_zoo[ray]'"
#: The address that stands for a Ray on this machine alone, for this run alone.
LOCAL = "local"


def check_installed() -> None:
    """Raise MissingLibraryError where Ray or what it writes Parquet with is not there.

    Neither is imported, which takes a second.
    """
    for name in ("ray", "pyarrow", "fsspec"):
        if importlib.util.find_spec(name) is None:
            raise MissingLibraryError(f"{name} is not installed. {_INSTALL}")


@contextlib.contextmanager
def connected(
    address: str | None = None, processors: int | None = None
) -> Iterator[Any]:
    """Ray, connected to a cluster; one that was connected before stays so.

    Args:
        address: of a cluster, as `ray.init` takes it; None for the one that this
            process is connected to or, where it is to none, "local".
        processors: that a local one counts; None for those that there are.

    Raises:
        MissingLibraryError: Ray does not load.
        OutputError: there is no cluster at this address, or none can be started.
    """
    address = address or LOCAL
    with _environment(_ENVIRONMENT if address == LOCAL else {}):
        ray = _import_ray()
        started = not ray.is_initialized()
        if started:
            _start(ray, address, processors or cores())
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray.data
    except ImportError as error:
        raise MissingLibraryError(f"Ray does not load ({error}). {_INSTALL}") from error
    return ray


def _start(ray: Any, address: str, processors: int) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == LOCAL:
        options |= {"include_dashboard": False, "num_cpus": processors}
    try:
        with _signals_kept(), quiet_native():
            ray.init(address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"Cannot use Ray at {address}: {error}") from error
    # What goes wrong is raised; all else that Ray Data says is about its inner works.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Leave to the caller what SIGTERM does, which Ray would change."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, kept)
