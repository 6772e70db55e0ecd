"""A service for all mount tests, and a mounted bucket for each."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.emulated import Emulator, emulator
from tests.mounting import Mounted, mounted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fuse)
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::SyntaxWarning"))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("service"), buckets=400) as running:
        yield running


@pytest.fixture(scope="session")
def far_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A service 20 ms away, to see what goes on in parallel."""
    with emulator(tmp_path_factory.mktemp("far"), buckets=50, latency=0.02) as running:
        yield running


@pytest.fixture
def far_mount(far_service: Emulator, tmp_path: Path) -> Iterator[Mounted]:
    """An empty bucket 20 ms away, mounted with the defaults."""
    with mounted(far_service, far_service.take(), tmp_path / "far") as running:
        yield running


@pytest.fixture
def bucket(service: Emulator) -> str:
    return service.take()


@pytest.fixture
def mount(service: Emulator, bucket: str, tmp_path: Path) -> Iterator[Mounted]:
    """An empty bucket, mounted with the defaults."""
    with mounted(service, bucket, tmp_path / "mnt") as running:
        yield running


MountFactory = Callable[..., Mounted]


@pytest.fixture
def mount_with(service: Emulator, bucket: str, tmp_path: Path) -> Iterator[MountFactory]:
    """Mount the test's bucket as often as asked: `mount_with("ttl=0", prefix="a")`."""
    with ExitStack() as stack:
        numbers = itertools.count()

        def factory(options: str = "", prefix: str = "", on: str = "") -> Mounted:
            path = tmp_path / f"mnt{next(numbers)}"
            return stack.enter_context(mounted(service, on or bucket, path, options, prefix))

        yield factory
