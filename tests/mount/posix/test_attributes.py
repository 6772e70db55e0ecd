"""chmod(2), chown(2), utimensat(2), truncate(2), statvfs(3), fallocate(2), flock(2), xattr(7)."""

# mypy: disable-error-code="misc"
# Lambdas that bind a loop variable by a default have no type that could be inferred.

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.posix.conftest import Pair
from tests.mount.posix.syscalls import (
    FALLOC_COLLAPSE,
    FALLOC_KEEP_SIZE,
    FALLOC_PUNCH_HOLE,
    FALLOC_ZERO,
    UTIME_NOW,
    UTIME_OMIT,
    as_user,
    fallocate,
    utimensat,
)

OWNER, OTHER = (1001, 1001), (1002, 1002)


def owned(root: Path, mode: int = 0o644, group: int = 1001) -> None:
    """Make a file of the first user's."""
    path = root / "f"
    path.write_bytes(b"content")
    os.chown(path, OWNER[0], group)
    os.chmod(path, mode)


def as_(who: tuple[int, int], call: Callable[[Path], Any], *groups: int) -> Callable[[Path], Any]:
    def run(root: Path) -> Any:
        with as_user(*who, groups):
            return call(root / "f")

    return run


def mode_of(root: Path) -> int:
    return stat.S_IMODE(os.stat(root / "f").st_mode)


class TestChmod:
    @pytest.mark.parametrize("mode", [0, 0o777, 0o4755, 0o2755, 0o1644, 0o7777])
    def test_bits(self, pair: Pair, mode: int) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.works(lambda r: os.chmod(r / "f", mode))
        assert pair.works(mode_of) == mode

    @pytest.mark.usefixtures("root_user")
    def test_rights(self, pair: Pair) -> None:
        pair.works(owned)
        pair.fails("EPERM", as_(OTHER, lambda p: os.chmod(p, 0o777)))
        pair.works(as_(OWNER, lambda p: os.chmod(p, 0o600)))
        pair.works(mode_of)

    @pytest.mark.usefixtures("root_user")
    def test_set_gid_of_a_foreign_group_is_dropped(self, pair: Pair) -> None:
        pair.works(lambda r: owned(r, group=3000))
        pair.works(as_(OWNER, lambda p: os.chmod(p, 0o2755)))
        pair.works(mode_of)

    @pytest.mark.usefixtures("root_user")
    def test_set_id_bits_go_when_another_writes(self, pair: Pair) -> None:
        pair.works(lambda r: owned(r, 0o6777))

        def write(path: Path) -> None:
            with path.open("r+b") as file:
                file.write(b"changed")

        pair.works(as_(OTHER, write))
        assert pair.works(mode_of) == 0o777

    @pytest.mark.usefixtures("root_user")
    def test_set_id_bits_go_when_another_truncates(self, pair: Pair) -> None:
        pair.works(lambda r: owned(r, 0o6777))
        pair.works(as_(OTHER, lambda p: os.truncate(p, 3)))
        assert pair.works(mode_of) == 0o777

    def test_by_descriptor(self, pair: Pair) -> None:
        def attempt(root: Path) -> int:
            fd = os.open(root / "f", os.O_RDWR | os.O_CREAT, 0o644)
            os.fchmod(fd, 0o751)
            seen = stat.S_IMODE(os.fstat(fd).st_mode)
            os.close(fd)
            return seen

        pair.works(attempt)
        assert pair.works(mode_of) == 0o751


@pytest.mark.usefixtures("root_user")
class TestChown:
    def test_by_root(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            owned(root)
            path = root / "f"
            os.chown(path, 7, -1)
            first = os.stat(path)
            os.chown(path, -1, 8)
            second = os.stat(path)
            return first.st_uid, first.st_gid, second.st_uid, second.st_gid

        pair.works(attempt)

    def test_rights(self, pair: Pair) -> None:
        """A user gives nothing away, but to a group of theirs."""
        pair.works(owned)
        pair.fails("EPERM", as_(OWNER, lambda p: os.chown(p, 1002, -1)))
        pair.fails("EPERM", as_(OWNER, lambda p: os.chown(p, -1, 3000)))
        pair.works(as_(OWNER, lambda p: os.chown(p, -1, 3000), 3000))
        pair.works(as_(OWNER, lambda p: os.chown(p, -1, -1)))
        pair.fails("EPERM", as_(OTHER, lambda p: os.chown(p, 1002, -1)))
        pair.works(lambda r: os.stat(r / "f").st_gid)

    @pytest.mark.parametrize("mode", [0o6755, 0o2644, 0o4644, 0o2755])
    def test_set_id_bits_go(self, pair: Pair, mode: int) -> None:
        pair.works(lambda r: owned(r, mode))
        pair.works(as_(OWNER, lambda p: os.chown(p, -1, 3000), 3000))
        pair.works(mode_of)

    @pytest.mark.parametrize("mode", [0o6755, 0o2644])
    def test_set_id_bits_and_root(self, pair: Pair, mode: int) -> None:
        pair.works(lambda r: owned(r, mode))
        pair.works(lambda r: os.chown(r / "f", 5, 5))
        pair.works(mode_of)

    def test_of_links(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            owned(root)
            (root / "link").symlink_to("f")
            os.lchown(root / "link", 9, 9)
            return os.lstat(root / "link").st_uid, os.stat(root / "link").st_uid

        assert pair.works(attempt) == (9, 1001)


class TestTimes:
    def test_now_and_omit(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            path = root / "f"
            path.touch()
            seen = []
            for atime, mtime in (
                ((100, 5), (200, 6)),
                ((0, UTIME_OMIT), (300, 7)),
                ((400, 8), (0, UTIME_OMIT)),
                ((0, UTIME_OMIT), (0, UTIME_OMIT)),
                ((0, UTIME_NOW), (500, 0)),
                ((600, 0), (0, UTIME_NOW)),
            ):
                utimensat(path, atime, mtime)
                found = os.stat(path)
                recent = time.time() - 100
                seen.append(
                    [
                        "now" if t > recent * 10**9 else t
                        for t in (found.st_atime_ns, found.st_mtime_ns)
                    ]
                )
            return seen

        pair.works(attempt)

    @pytest.mark.parametrize("seconds", [0, 1, 2**31 - 1, 2**31, 2**33, -1])
    def test_range(self, pair: Pair, seconds: int) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.works(lambda r: utimensat(r / "f", (seconds, 1), (seconds, 999_999_999)))
        pair.works(lambda r: os.stat(r / "f").st_mtime_ns)

    def test_einval(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.fails("EINVAL", lambda r: utimensat(r / "f", (0, 10**9), (0, 0)))

    def test_of_links_and_directories(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "dir").mkdir()
            (root / "link").symlink_to("dir")
            utimensat(root / "link", (5, 0), (6, 0), follow=False)
            utimensat(root / "link", (7, 0), (8, 0))
            return os.lstat(root / "link").st_mtime, os.stat(root / "dir").st_mtime

        assert pair.works(attempt) == (6, 8)

    @pytest.mark.usefixtures("root_user")
    @pytest.mark.parametrize("mode", [0o644, 0o666])
    def test_rights(self, pair: Pair, mode: int) -> None:
        """Who may write may say "now"; another time is the owner's to set."""
        pair.works(lambda r: owned(r, mode))
        for times in ((1, 0), (0, UTIME_NOW), (0, UTIME_OMIT)):
            for who in (OWNER, OTHER):
                pair.both(as_(who, lambda p, t=times: utimensat(p, t, t)))
        pair.both(as_(OTHER, os.utime))
        pair.both(as_(OTHER, lambda p: utimensat(p, (0, UTIME_NOW), (0, UTIME_OMIT))))

    @pytest.mark.parametrize("what", ["write", "truncate", "O_TRUNC", "nothing", "read"])
    def test_what_changes_mtime(self, pair: Pair, what: str) -> None:
        calls: dict[str, Callable[[Path], Any]] = {
            "write": lambda p: p.write_bytes(b"other"),
            "truncate": lambda p: os.truncate(p, 2),
            "O_TRUNC": lambda p: os.close(os.open(p, os.O_WRONLY | os.O_TRUNC)),
            "nothing": lambda p: os.close(os.open(p, os.O_RDWR)),
            "read": lambda p: p.read_bytes(),
        }

        def attempt(root: Path) -> bool:
            path = root / "f"
            path.write_bytes(b"content")
            os.utime(path, (1, 1))
            calls[what](path)
            return os.stat(path).st_mtime > 1

        assert pair.works(attempt) == (what in ("write", "truncate", "O_TRUNC"))

    @pytest.mark.parametrize("what", ["write", "chmod", "utime", "rename"])
    def test_what_changes_ctime(self, pair: Pair, what: str) -> None:
        calls: dict[str, Callable[[Path], Any]] = {
            "write": lambda p: p.write_bytes(b"other"),
            "chmod": lambda p: p.chmod(0o600),
            "utime": lambda p: os.utime(p, (1, 1)),
            "rename": lambda p: p.rename(p.with_name("g")),
        }

        def attempt(root: Path) -> bool:
            path = root / "f"
            path.write_bytes(b"content")
            before = os.stat(path).st_ctime_ns
            time.sleep(0.01)  # the grain of the kernel's clock
            calls[what](path)
            path = root / "g" if what == "rename" else path
            return os.stat(path).st_ctime_ns > before

        if what == "rename":
            pair.deviates("rename-ctime", attempt)
        else:
            pair.works(attempt)


class TestTruncate:
    def test_errors(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir").mkdir())
        pair.works(lambda r: (r / "f").write_bytes(b"content"))
        pair.fails("EISDIR", lambda r: os.truncate(r / "dir", 0))
        pair.fails("EINVAL", lambda r: os.truncate(r / "f", -1))
        pair.works(lambda r: os.mkfifo(r / "fifo"))
        pair.fails("EINVAL", lambda r: os.truncate(r / "fifo", 0))

    @pytest.mark.parametrize("size", [0, 3, 7, 8, 100_000])
    def test_sizes(self, pair: Pair, size: int) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"content"))
        pair.works(lambda r: os.truncate(r / "f", size))
        pair.works(lambda r: (r / "f").read_bytes())
        assert pair.mount.judge.get(f"{pair.on_mount.name}/f") == b"content"[:size].ljust(
            size, b"\0"
        )

    @pytest.mark.usefixtures("root_user")
    def test_rights(self, pair: Pair) -> None:
        pair.works(owned)
        pair.fails("EACCES", as_(OTHER, lambda p: os.truncate(p, 0)))
        pair.works(as_(OWNER, lambda p: os.truncate(p, 2)))
        pair.works(lambda r: (r / "f").read_bytes())

    def test_shrunk_and_grown_is_zeros(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "f").write_bytes(b"0123456789")
            fd = os.open(root / "f", os.O_RDWR)
            os.ftruncate(fd, 3)
            os.ftruncate(fd, 8)
            os.close(fd)
            return (root / "f").read_bytes()

        assert pair.works(attempt) == b"012\0\0\0\0\0"


class TestRoom:
    def test_statvfs(self, pair: Pair) -> None:
        found = os.statvfs(pair.on_mount)
        assert found.f_namemax == 255
        assert found.f_bavail > 0
        assert found.f_favail > 0
        assert found.f_bsize == found.f_frsize
        pair.works(lambda r: os.statvfs(r).f_flag & os.ST_RDONLY)

    @pytest.mark.parametrize(
        "mode",
        [
            FALLOC_KEEP_SIZE,
            FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE,
            0,
        ],
    )
    def test_fallocate(self, pair: Pair, mode: int) -> None:
        def attempt(root: Path) -> None:
            with (root / "f").open("wb") as file:
                fallocate(file.fileno(), mode, 0, 4096)

        pair.deviates("fallocate", attempt)

    @pytest.mark.parametrize("mode", [FALLOC_COLLAPSE, FALLOC_ZERO])
    def test_fallocate_that_tmpfs_lacks_as_well(self, pair: Pair, mode: int) -> None:
        def attempt(root: Path) -> None:
            with (root / "f").open("wb") as file:
                fallocate(file.fileno(), mode, 0, 4096)

        pair.fails("ENOTSUP", attempt)

    def test_posix_fallocate(self, pair: Pair) -> None:
        """glibc writes where the file system cannot reserve: databases and torrents work."""

        def attempt(root: Path) -> int:
            with (root / "f").open("w+b") as file:
                os.posix_fallocate(file.fileno(), 0, 10_000)
                return os.fstat(file.fileno()).st_size

        assert pair.works(attempt) == 10_000

    def test_blocks_are_counted(self, pair: Pair) -> None:
        """`du` and `tar --sparse` take a file without blocks for one hole."""
        (pair.on_mount / "f").write_bytes(b"x" * 5000)
        assert os.stat(pair.on_mount / "f").st_blocks * 512 >= 5000


class TestLocks:
    @pytest.mark.parametrize("kind", ["flock", "fcntl"])
    def test_exclusion(self, pair: Pair, kind: str) -> None:
        """Two processes of one host exclude one another."""
        lock = fcntl.flock if kind == "flock" else fcntl.lockf

        def attempt(root: Path) -> int:
            (root / "f").touch()
            with (root / "f").open("r+b") as file:
                lock(file, fcntl.LOCK_EX)
                child = os.fork()
                if child == 0:
                    code = 1
                    try:
                        with (root / "f").open("r+b") as other:
                            lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except OSError as error:
                        code = error.errno or 2
                    finally:
                        os._exit(code)
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        assert pair.works(attempt) == errno.EAGAIN


class TestXattrs:
    @pytest.fixture
    def file(self, pair: Pair) -> Path:
        path = pair.on_mount / "f"
        path.touch()
        return path

    def test_set_get_list_remove(self, file: Path) -> None:
        os.setxattr(file, "user.tag.a", b"1")
        assert os.getxattr(file, "user.tag.a") == b"1"
        assert os.listxattr(file) == ["user.tag.a"]
        os.removexattr(file, "user.tag.a")
        assert os.listxattr(file) == []

    @pytest.mark.parametrize(
        ("expected", "call"),
        [
            ("ENODATA", lambda p: os.getxattr(p, "user.tag.none")),
            ("ENODATA", lambda p: os.removexattr(p, "user.tag.none")),
            ("ENODATA", lambda p: os.setxattr(p, "user.tag.none", b"", os.XATTR_REPLACE)),
            ("EEXIST", lambda p: os.setxattr(p, "user.tag.there", b"", os.XATTR_CREATE)),
            ("ENOTSUP", lambda p: os.setxattr(p, "none.such", b"")),
            ("ENODATA", lambda p: os.getxattr(p, "none.such")),
            ("ERANGE", lambda p: os.setxattr(p, "user.tag." + "n" * 300, b"")),
            ("ERANGE", lambda p: os.getxattr(p, "user." + "n" * 300)),
            ("ERANGE", lambda p: os.setxattr(p, "", b"")),
            ("E2BIG", lambda p: os.setxattr(p, "user.tag.big", b"v" * 70_000)),
            ("E2BIG", lambda p: os.setxattr(p, "user.tag.big", b"v" * 300)),
            ("ENODATA", lambda p: os.getxattr(p, "user.other")),
            ("ENODATA", lambda p: os.setxattr(p, "user.other", b"", os.XATTR_REPLACE)),
            ("ENOSPC", lambda p: os.setxattr(p, "user.other", b"v" * 9_000)),
            ("ENOTSUP", lambda p: os.setxattr(p, "trusted.x", b"")),
            ("ENOTSUP", lambda p: os.setxattr(p, "security.x", b"")),
            ("ENOTSUP", lambda p: os.setxattr(p, "system.posix_acl_access", b"")),
            ("ENOENT", lambda p: os.getxattr(p.with_name("none"), "user.tag.a")),
        ],
    )
    def test_errors(self, file: Path, expected: str, call: Callable[[Path], Any]) -> None:
        os.setxattr(file, "user.tag.there", b"1")
        with pytest.raises(OSError) as caught:
            call(file)
        assert errno.errorcode[caught.value.errno or 0] == expected
        assert os.getxattr(file, "user.tag.there") == b"1"

    @pytest.mark.usefixtures("root_user")
    def test_rights(self, pair: Pair) -> None:
        """Who may read the file reads its tags, who may write it sets them: xattr(7)."""
        owned(pair.on_mount, 0o640)
        path = pair.on_mount / "f"
        os.setxattr(path, "user.tag.a", b"1")
        for call in (
            lambda: os.getxattr(path, "user.tag.a"),
            lambda: os.setxattr(path, "user.tag.a", b"2"),
            lambda: os.removexattr(path, "user.tag.a"),
        ):
            with as_user(*OTHER), pytest.raises(PermissionError):
                call()
        with as_user(*OWNER):
            os.setxattr(path, "user.tag.a", b"3")
        os.chmod(path, 0o444)
        with as_user(*OTHER):
            assert os.getxattr(path, "user.tag.a") == b"3"
            with pytest.raises(PermissionError):
                os.setxattr(path, "user.tag.a", b"4")
        assert pair.mount.tags(f"{pair.on_mount.name}/f") == {"a": "3"}

    def test_the_sizes_are_asked_for_first(self, file: Path) -> None:
        """A buffer of 0 asks for the size; one that is too small is ERANGE."""
        import ctypes  # noqa: PLC0415

        libc = ctypes.CDLL(None, use_errno=True)
        os.setxattr(file, "user.tag.a", b"12345")
        name, path = b"user.tag.a", os.fsencode(file)
        assert libc.getxattr(path, name, None, 0) == 5
        assert libc.getxattr(path, name, ctypes.create_string_buffer(4), 4) == -1
        assert ctypes.get_errno() == errno.ERANGE
        assert libc.listxattr(path, None, 0) == len("user.tag.a") + 1
        assert libc.listxattr(path, ctypes.create_string_buffer(3), 3) == -1
        assert ctypes.get_errno() == errno.ERANGE

    def test_names_that_are_not_utf8(self, pair: Pair) -> None:
        for call in (
            lambda r: os.close(os.open(os.fsencode(r) + b"/\xff", os.O_CREAT | os.O_WRONLY)),
            lambda r: os.mkdir(os.fsencode(r) + b"/d\xff"),
            lambda r: os.symlink(b"x", os.fsencode(r) + b"/l\xff"),
        ):
            pair.deviates("name-not-utf8", call)
