"""What all tests share: a quiet TensorFlow, a store of their own, the data folders.

Connections to other hosts are refused by pytest-socket (see pyproject.toml).
"""

import os
import signal
from pathlib import Path

import pytest

# A shell that starts the tests in the background lets them ignore Ctrl-C, and with them
# the programs that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Read once, when TensorFlow is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def _users_store(tmp_path_factory: pytest.TempPathFactory):
    """Keep what tests convert and cache out of the user's own store; gives that one."""
    from iqa_zoo import store
    from iqa_zoo.errors import OutputError

    try:
        users = store.home()
    except OutputError:
        users = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IQA_ZOO_HOME", str(tmp_path_factory.mktemp("store")))
        patch.setenv("IQA_ZOO_OFFLINE", "1")
        yield users


@pytest.fixture(scope="session")
def published(_users_store: Path | None):
    """A function that brings others' weights from the user's store, or skips."""
    from iqa_zoo import store

    def bring(name: str) -> None:
        file = store.published_set(name)["file"]
        if _users_store is None or not (_users_store / "weights" / file).exists():
            pytest.skip(f"needs {file} in the store (iqa-zoo weights fetch {name})")
        store.add(name, _users_store / "weights" / file)

    return bring


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the folder ../shared/{name} beside the checkout")
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of example photos."""
    return ROOT / "examples" / "photos"


@pytest.fixture(scope="session")
def clive() -> Path:
    """The 930 photos of LIVE In the Wild, with mos.csv."""
    return _shared("data/clive")


@pytest.fixture(scope="session")
def agiqa3k() -> Path:
    """The 1,196 generated pictures of AGIQA-3K, with mos.csv."""
    return _shared("data/agiqa3k")


@pytest.fixture(scope="session")
def kodak() -> Path:
    """The 24 pristine Kodak photos."""
    return _shared("data/kodak")


@pytest.fixture(scope="session")
def calibration() -> Path:
    """Five pairs of TID2013, `ref` and `dist`, and what the metrics' authors get."""
    return _shared("data/calibration")


@pytest.fixture(scope="session")
def idealo() -> Path:
    """Five test photos of idealo's image-quality-assessment."""
    return _shared("data/idealo")


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """The folder of backbones trained on ImageNet."""
    return _shared("weights")
