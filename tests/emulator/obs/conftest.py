from collections.abc import Iterator
from itertools import count

import pytest

from tests.emulator.emulation import Emulator
from tests.emulator.names import resolve_locally
from tests.emulator.obs.client import Raw, Sdk

_numbers = count()


@pytest.fixture(scope="session")
def obs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of OBS with every default."""
    directory = tmp_path_factory.mktemp("obs")
    options = ("--service", "obs", "--option", "posix=files", "--restore-seconds", "0.2")
    with Emulator(directory / "data", *options, log=directory / "log") as running:
        yield running


@pytest.fixture(params=["v2", "v4", "obs"])
def sdk(
    request: pytest.FixtureRequest, obs: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sdk]:
    """The SDK as it signs on addresses, as it may, and as it does on host names."""
    resolve_locally(monkeypatch)
    client = Sdk(obs.url, request.param)
    yield client
    client.client.close()


@pytest.fixture
def one(obs: Emulator) -> Iterator[Sdk]:
    """The SDK, in one way only."""
    client = Sdk(obs.url)
    yield client
    client.client.close()


@pytest.fixture
def name(one: Sdk) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{next(_numbers)}"
    one.createBucket(name)
    return name


@pytest.fixture
def raw(obs: Emulator, name: str) -> Raw:
    return Raw(obs, name)
