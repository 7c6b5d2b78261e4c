"""What all tests share: a quiet TensorFlow, a store of their own, the data folders.

Connections to other hosts are refused by pytest-socket (see pyproject.toml).
"""

import os
from pathlib import Path

import pytest

# Read once, when TensorFlow is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def _own_store(tmp_path_factory: pytest.TempPathFactory):
    """Keep what tests convert and cache out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IQA_ZOO_HOME", str(tmp_path_factory.mktemp("store")))
        patch.setenv("IQA_ZOO_OFFLINE", "1")
        yield


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
def kodak() -> Path:
    """The 24 pristine Kodak photos."""
    return _shared("data/kodak")


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """The folder of backbones trained on ImageNet."""
    return _shared("weights")
