import gc
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import oss2
import pytest

from tests.emulator.emulation import Emulator, oss2_bucket, v1_auth, v4_auth
from tests.emulator.wire import OWN, Wire, Wires

_numbers = count()
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Forgive the vendor's SDKs the connections that they never close, but nobody else."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(autouse=True, scope="module")
def _bury_connections() -> Iterator[None]:
    """Collect those connections here, where they are forgiven."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("emulator")
    running = Emulator(
        directory / "data", "--restore-seconds", "0.3", log=directory / "requests.log"
    )
    try:
        running.start()
        yield running
    finally:
        status, complaints = running.stop()
    assert (status, complaints) == (0, "")


@pytest.fixture
def name(emulator: Emulator) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{next(_numbers)}"
    oss2_bucket(emulator, name).create_bucket()
    return name


@pytest.fixture
def bucket(emulator: Emulator, name: str) -> oss2.Bucket:
    return oss2_bucket(emulator, name)


@pytest.fixture(params=["v1", "v4"])
def signed_bucket(request: pytest.FixtureRequest, emulator: Emulator, name: str) -> oss2.Bucket:
    return oss2_bucket(emulator, name, v1_auth() if request.param == "v1" else v4_auth())


@pytest.fixture(scope="session")
def wires(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wires]:
    """The three services, none of which asks who sends a request."""
    with ExitStack() as stack:
        found = {}
        for service in OWN:
            data = tmp_path_factory.mktemp(service) / "data"
            options = ["--service", service, "--no-verify", "--bucket", "bkt"]
            options += ["--option", "posix=tree"] if service == "obs" else []
            running = Emulator(data, *options, "--minimum-part-size", "1")
            found[service] = Wire(stack.enter_context(running).port)
        yield found


@pytest.fixture(params=OWN)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def wire(wires: Wires, service: str) -> Wire:
    return wires[service]
