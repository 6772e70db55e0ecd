"""One mount and one local directory on tmpfs for all calls: the same is done in both."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import Emulator
from tests.mount.posix.deviations import DEVIATIONS
from tests.mount.twins import Outcome, outcome, shown
from tests.mounting import Mounted, mounted

SHM = Path("/dev/shm")


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


@pytest.fixture(scope="session")
def trees(services: Callable[[str], Emulator]) -> Iterator[tuple[Path, Mounted]]:
    """A local directory that all users may enter, and a mount that all may use."""
    base = Path(tempfile.mkdtemp(prefix="tagfs-posix-", dir=SHM if SHM.is_dir() else None))
    base.chmod(0o755)
    local = base / "local"
    local.mkdir(mode=0o755)
    service = services("oss")
    try:
        options = "allow_other" if os.geteuid() == 0 else ""
        with mounted(service, service.take(), base / "mnt", options) as mount:
            mount.path.chmod(0o755)
            yield local, mount
    finally:
        if not os.path.ismount(base / "mnt"):
            shutil.rmtree(base)


@pytest.fixture
def pair(trees: tuple[Path, Mounted], request: pytest.FixtureRequest) -> Pair:
    """An empty directory of the test's own in both trees."""
    local, mount = trees
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
