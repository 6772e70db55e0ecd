"""One mount and one local directory on tmpfs for all calls: the same is done in both.

On OSS all of them are done, and on each other service and libfuse the share that falls to it.
TAGFS_POSIX=all does everything everywhere, as `scripts/soak --only posix` does.
"""

import functools
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import Emulator
from tests.mount.posix.deviations import DEVIATIONS
from tests.mount.twins import Outcome, outcome, shown
from tests.mounting import Mounted, mounted

SHM = Path("/dev/shm")
EVERYWHERE = ("oss", "fuse2", "obs", "obs fuse2", "s3", "s3 fuse2")
SHARES = 20
"""Of so many tests each of the other five kinds gets one."""


def everywhere() -> bool:
    return os.environ.get("TAGFS_POSIX") == "all"


def kinds_of(test: str) -> tuple[str, ...]:
    """Return the kinds of service and libfuse that a test runs on; the same ones every time."""
    if everywhere():
        return EVERYWHERE
    share = zlib.crc32(test.encode()) % SHARES
    return ("oss", *EVERYWHERE[share + 1 : share + 2])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tree_kind" in metafunc.fixturenames:
        test = metafunc.definition.nodeid.partition("/posix/")[2]
        metafunc.parametrize("tree_kind", kinds_of(test))


class Pair:
    """A directory on tmpfs and one on the mount, open to every user.

    Attributes:
        roots: the two, the local one first.
        mount: the mount itself, for the judge of what the service has.
    """

    def __init__(self, local: Path, on_mount: Path, mount: Mounted) -> None:
        self.roots = (local, on_mount)
        self.mount = mount

    @property
    def on_mount(self) -> Path:
        return self.roots[1]

    def both(self, call: Callable[[Path], Any]) -> Outcome:
        """Do the same in both directories; what comes of it must be the same."""
        local, mounted_ = (outcome(partial(call, root)) for root in self.roots)
        assert mounted_ == local, f"on the mount it {shown(mounted_)}, locally it {shown(local)}"
        return mounted_

    def fails(self, errno_name: str, call: Callable[[Path], Any]) -> None:
        """Do the same in both directories; it must fail so."""
        assert self.both(call) == ("failed", errno_name)

    def works(self, call: Callable[[Path], Any]) -> Any:
        """Do the same in both directories; it must succeed, and alike."""
        result = self.both(call)
        assert result[0] == "returned", result
        return result[1]

    def deviates(self, name: str, call: Callable[[Path], Any]) -> None:
        """Do the same in both; the mount must do what the table of deviations says, tmpfs not."""
        expected = DEVIATIONS[name].outcome
        local, mounted_ = (outcome(partial(call, root)) for root in self.roots)
        assert mounted_ == expected, f"{name}: on the mount it {shown(mounted_)}"
        assert local != expected, f"{name} is no deviation"


Trees = tuple[Path, Mounted]


@contextmanager
def both_trees(service: Emulator) -> Iterator[Trees]:
    """A local directory that all users may enter, and a mount that all may use."""
    base = Path(tempfile.mkdtemp(prefix="tagfs-posix-", dir=SHM if SHM.is_dir() else None))
    base.chmod(0o755)
    local = base / "local"
    local.mkdir(mode=0o755)
    try:
        options = "allow_other" if os.geteuid() == 0 else ""
        with mounted(service, service.take(), base / "mnt", options) as mount:
            mount.path.chmod(0o755)
            yield local, mount
    finally:
        if not os.path.ismount(base / "mnt"):
            shutil.rmtree(base)


@pytest.fixture(scope="session")
def trees(services: Callable[[str], Emulator]) -> Iterator[Callable[[str], Trees]]:
    """Return the two trees of a kind of service and libfuse, made when first asked for."""
    with ExitStack() as stack:
        yield functools.cache(lambda kind: stack.enter_context(both_trees(services(kind))))


@pytest.fixture
def pair(trees: Callable[[str], Trees], tree_kind: str, request: pytest.FixtureRequest) -> Pair:
    """An empty directory of the test's own in both trees."""
    local, mount = trees(tree_kind)
    name = re.sub(r"\W", "_", request.node.nodeid.partition(".py::")[2])[:100]
    roots = [tree / name for tree in (local, mount.path)]
    for root in roots:
        root.mkdir()
        root.chmod(0o777)
    return Pair(roots[0], roots[1], mount)


@pytest.fixture
def root_user() -> None:
    """What needs to become another user for a while."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
