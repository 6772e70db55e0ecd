"""A service for all mount tests, and a mounted bucket for each."""

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import requests

from tests.ceph import ceph
from tests.emulated import CannotRun, Emulator, emulator, moto
from tests.foreign_servers import juicefs, ministack, seaweedfs
from tests.mounting import Mounted, mounted
from tests.swift import swift

KINDS: dict[str, Callable[[Path], AbstractContextManager[Emulator]]] = {
    "oss": functools.partial(emulator, buckets=500),
    "obs": functools.partial(emulator, buckets=200, service="obs"),
    "s3": functools.partial(emulator, buckets=200, service="s3"),
    "rgw": functools.partial(emulator, buckets=20, service="s3", options=("mimic=rgw",)),
    "rgw20": functools.partial(emulator, buckets=20, service="s3", options=("mimic=rgw20",)),
    "ignoring": functools.partial(
        emulator, buckets=20, service="s3", options=("subresources=ignored", "ranges=200")
    ),
    "moto": functools.partial(moto, buckets=100),
    "ceph": ceph,
    "seaweedfs": seaweedfs,
    "juicefs": juicefs,
    "ministack": ministack,
    "swift": swift,
    **{
        f"s3 {option}": functools.partial(emulator, buckets=40, service="s3", options=(option,))
        for option in (
            "directories=seaweedfs",
            "directories=minio",
            "directories=files",
            "directories=refused",
            "tagging=none",
            "tagging=no_delete",
            "part_copies=off",
            "metadata=dropped",
            "etags=none",
            "etags=other",
        )
    },
}
"""Services that the promise is tested on; "rgw" is Ceph as the emulator mimics it, "ignoring" an S3
that knows no tags and takes requests for them for others."""

LIBFUSE2 = {"fuse2": "oss", "obs fuse2": "obs", "s3 fuse2": "s3"}
"""The same services, with their buckets mounted by libfuse 2. Everything else runs on the libfuse
that TAGFS_FUSE names: TAGFS_FUSE=2 scripts/test."""

ALL = pytest.mark.services("oss", "obs", "s3")
"""Marks what holds on every service."""

FOREIGN = pytest.mark.services("oss", "obs", "s3", "moto", "ceph", "fuse2")
"""Marks what is tested on an S3 of others, whose requests cannot be counted, and on libfuse 2."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fuse)
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::SyntaxWarning"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each kind of service that its marker `services` names."""
    marker = metafunc.definition.get_closest_marker("services")
    if marker is not None and "kind" in metafunc.fixturenames:
        kinds = [
            pytest.param(k, marks=pytest.mark.ceph if k == "ceph" else ()) for k in marker.args
        ]
        metafunc.parametrize("kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Emulator]]:
    """Return the running service of a kind, started when first asked for."""
    with ExitStack() as stack:

        @functools.cache
        def start(kind: str) -> Emulator | CannotRun:
            directory = tmp_path_factory.mktemp(kind)
            try:
                return stack.enter_context(KINDS[kind](directory))
            except CannotRun as reason:
                return reason

        def running(kind: str) -> Emulator:
            one = start(LIBFUSE2.get(kind, kind))
            if isinstance(one, CannotRun):
                pytest.skip(str(one))
            if kind in LIBFUSE2:
                one = copy.copy(one)
                one.fuse = "2"
            return one

        yield running


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of service that a test runs on: OSS, unless it is marked for others."""
    return getattr(request, "param", "oss")


@pytest.fixture(scope="session")
def service(kind: str, services: Callable[[str], Emulator]) -> Emulator:
    return services(kind)


@pytest.fixture(scope="session")
def far_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A service 50 ms away, to see what goes on in parallel."""
    with emulator(tmp_path_factory.mktemp("far"), buckets=50, latency=0.05) as running:
        yield running


@pytest.fixture
def far_mount(far_service: Emulator, tmp_path: Path) -> Iterator[Mounted]:
    """An empty bucket 50 ms away, mounted with the defaults."""
    with mounted(far_service, far_service.take(), tmp_path / "far") as running:
        yield running


class Faults:
    """What the service refuses or garbles, as long as a test wants it to."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/-/faults"

    def set(self, *specifications: str) -> None:
        requests.post(self._url, json=specifications, timeout=60).raise_for_status()

    def hits(self) -> int:
        """Return how many requests were refused or garbled so far."""
        return sum(fault["hits"] for fault in requests.get(self._url, timeout=60).json())

    def by_fault(self) -> dict[str, int]:
        """Return how many requests each fault struck."""
        reported = requests.get(self._url, timeout=60).json()
        return {fault["fault"]: fault["hits"] for fault in reported}

    def clear(self) -> None:
        requests.delete(self._url, timeout=60)


@pytest.fixture
def refusals(service: Emulator) -> Iterator[Faults]:
    board = Faults(service.url)
    yield board
    board.clear()


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
