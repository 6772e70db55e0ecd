"""`ls -l` of today's systems, which asks for the names of every file's extended attributes.

GNU ls since 9.6 and uutils' ls look for ACLs so. Their calls are made here as strace(1) shows them,
and by the programs of Debian 13 where debootstrap can run; the tools that want names get them all.
"""

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.debian13 import UUTILS, Debian13, debian13
from tests.emulated import CannotRun, Emulator
from tests.mount.conftest import MountFactory
from tests.mount.test_budgets import fill
from tests.mounting import Mounted, mounted, run

FILES = 200
TAGS = {"team": "blue", "retention": "7y"}
NAMES = b"user.tag.retention\0user.tag.team\0"

LISTER = """
import ctypes, errno, os, pathlib, sys

directory, name, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
pathlib.Path("/proc/self/comm").write_text(name)
os.chdir(directory)
told = set()
for entry in os.listdir():
    os.lstat(entry)
    buffer = ctypes.create_string_buffer(65536)
    size = libc.llistxattr(os.fsencode(entry), buffer if first else None, first)
    if size < 0:
        told.add(errno.errorcode[ctypes.get_errno()])
    elif size > 0 and not first:
        size = libc.llistxattr(os.fsencode(entry), buffer, size)
    told.add(repr(b"\\0".join(sorted(buffer.raw[:max(size, 0)].split(b"\\0")))))
print(*sorted(told))
"""


def walk(mount: Mounted, name: str, first: int) -> str:
    """List a mount as a program of this name does whose first buffer has `first` bytes."""
    command = [sys.executable, "-c", LISTER, str(mount.path), name, str(first)]
    return run(*command).strip()


@pytest.fixture(params=["2", "3"])
def fuse(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("name", "first"), [("ls", 152), ("ls", 0), ("vdir", 152), ("dir", 152)])
@pytest.mark.parametrize("attributes", ["stored", "listing"])
def test_ls_l_costs_no_request_for_tags(
    mount_with: MountFactory, fuse: str, name: str, first: int, attributes: str
) -> None:
    """GNU: 152 bytes first. uutils: the size first. Neither shows a name."""
    mount = mount_with(f"fuse={fuse},attributes={attributes}")
    fill(mount, FILES, "", TAGS)
    log = mount.requests()
    assert walk(mount, name, first) == "b''"
    stored = {"HEAD": FILES} if attributes == "stored" else {}
    assert log.kinds() == {"GET list": 1, **stored}


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("getfattr", 0),
        ("cp", 0),
        ("coreutils", 0),
        ("python3", 256),
        ("rsync", 1024),
        ("tar", 1024),
        ("attr", 65536),
        ("tar", 152),
    ],
)
def test_who_wants_names_gets_them_all(
    mount_with: MountFactory, fuse: str, name: str, first: int
) -> None:
    """The sizes are those of these tools' first calls; `tar --acls` makes another one."""
    mount = mount_with(f"fuse={fuse}")
    fill(mount, 5, "", TAGS)
    names = sorted([*(f"user.tag.{tag}".encode() for tag in TAGS), b""])
    assert walk(mount, name, first) == repr(b"\0".join(names))


@pytest.fixture(scope="session")
def debian() -> Debian13:
    try:
        return debian13()
    except CannotRun as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["2", "3"], scope="module")
def tagged(
    request: pytest.FixtureRequest,
    services: Callable[[str], Emulator],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mounted]:
    """A directory of tagged files on either libfuse, which nobody changes."""
    service = services("oss")
    path = tmp_path_factory.mktemp("tagged") / "mnt"
    with mounted(service, service.take(), path, f"fuse={request.param}") as running:
        fill(running, FILES, "", TAGS)
        yield running


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestDebian13:
    @pytest.mark.parametrize(
        "command",
        [
            ("ls", "-l"),
            ("ls", "-laZ"),
            ("vdir",),
            ("dir", "-l"),
            (f"{UUTILS}/ls", "-l"),
            ("coreutils", "ls", "-l"),
        ],
        ids=" ".join,
    )
    def test_no_request_for_tags(
        self, debian: Debian13, tagged: Mounted, command: tuple[str, ...]
    ) -> None:
        tagged.forget()
        log = tagged.requests()
        done = debian.run(*command, at=tagged.path)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.count("0199") == 1
        assert "+" not in done.stdout  # no file has an ACL
        assert log.kinds() == {"GET list": 1, "HEAD": FILES}

    @pytest.mark.parametrize(
        "command",
        [
            ("cp", "-a", "0007", "copy"),
            ("cp", "--preserve=xattr", "0007", "copy"),
            (f"{UUTILS}/cp", "-a", "0007", "copy"),
            ("coreutils", "cp", "-a", "0007", "copy"),
            ("rsync", "-aX", "0007", "copy"),
        ],
        ids=" ".join,
    )
    def test_tools_that_copy_see_all_names(
        self, debian: Debian13, tagged: Mounted, command: tuple[str, ...]
    ) -> None:
        done = debian.run(*command, at=tagged.path)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert tagged.tags("copy") == TAGS
        (tagged.path / "copy").unlink()

    def test_tools_that_show_names_see_all(self, debian: Debian13, tagged: Mounted) -> None:
        for command in (("getfattr", "-d", "0007"), ("attr", "-l", "0007")):
            done = debian.run(*command, at=tagged.path)
            assert (done.returncode, done.stderr) == (0, ""), done
            assert all(f"tag.{tag}" in done.stdout for tag in TAGS), done.stdout
        done = debian.run("tar", "--acls", "-cf", "/dev/null", "0007", at=tagged.path)
        assert (done.returncode, done.stderr) == (0, ""), done
        archive = debian.run("tar", "--xattrs", "-cf", "-", "0007", at=tagged.path).stdout
        assert all(f"SCHILY.xattr.user.tag.{k}={v}" in archive for k, v in TAGS.items())
