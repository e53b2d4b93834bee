import os
import pathlib

import pytest

import goemu

try:
    from hypothesis import HealthCheck, settings
except ImportError:
    pass
else:
    # Of properties that a busy computer checks, time says nothing.
    settings.register_profile("goemu", deadline=None, suppress_health_check=list(HealthCheck))
    settings.load_profile("goemu")


def _bin() -> pathlib.Path:
    given = os.environ.get("GOEMU_TESTDATA")
    root = pathlib.Path(given) if given else pathlib.Path(__file__).resolve().parents[2] / "testdata"
    return root / "bin"


@pytest.fixture(scope="session")
def bin_dir():
    return _bin()


@pytest.fixture(scope="session")
def corpus_path():
    return str(_bin() / "corpus-go1.27")


@pytest.fixture(params=["corpus-go1.27", "corpus-go1.15"])
def corpus(request):
    with goemu.open(_bin() / request.param) as program:
        yield program


@pytest.fixture(scope="session")
def shared():
    """A program that tests only call."""
    return goemu.open(_bin() / "corpus-go1.27")


@pytest.fixture
def typed():
    with goemu.open(_bin() / "typed-go1.27") as program:
        yield program
