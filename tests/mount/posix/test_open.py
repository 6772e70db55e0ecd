"""open(2), creat(2), close(2), read(2), write(2), lseek(2), and what their flags mean."""

# mypy: disable-error-code="misc"
# Lambdas that bind a loop variable by a default have no type that could be inferred.

import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.posix.conftest import Pair
from tests.mount.posix.syscalls import as_user, umask

R, W, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR


def on(flags: int, call: Callable[[int], Any], name: str = "f", mode: int = 0o644) -> Any:
    """Return a call that opens a file and does something with it."""

    def run(root: Path) -> Any:
        fd = os.open(root / name, flags, mode)
        try:
            return call(fd)
        finally:
            os.close(fd)

    return run


def nothing(_fd: int) -> None:
    pass


class TestErrors:
    def test_eexist(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.works(lambda r: (r / "dangling").symlink_to("nowhere"))
        pair.works(lambda r: (r / "dir").mkdir())
        for name in ("f", "dangling", "dir"):
            pair.fails("EEXIST", on(W | os.O_CREAT | os.O_EXCL, nothing, name))

    def test_eisdir(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir").mkdir())
        for flags in (W, RW, R | os.O_CREAT, W | os.O_TRUNC):
            pair.fails("EISDIR", on(flags, nothing, "dir"))

    def test_enotdir(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.fails("ENOTDIR", on(R | os.O_DIRECTORY, nothing))

    def test_einval_of_directory_and_creat(self, pair: Pair) -> None:
        pair.both(on(R | os.O_DIRECTORY | os.O_CREAT, nothing, "new"))

    def test_eloop_of_nofollow(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.works(lambda r: (r / "link").symlink_to("f"))
        pair.fails("ELOOP", on(R | os.O_NOFOLLOW, nothing, "link"))
        pair.fails("ENOTDIR", on(R | os.O_NOFOLLOW | os.O_DIRECTORY, nothing, "link"))

    def test_enxio_of_a_fifo(self, pair: Pair) -> None:
        pair.works(lambda r: os.mkfifo(r / "fifo"))
        pair.fails("ENXIO", on(W | os.O_NONBLOCK, nothing, "fifo"))

    def test_enxio_of_a_socket(self, pair: Pair) -> None:
        pair.works(lambda r: os.mknod(r / "socket", stat.S_IFSOCK | 0o600))
        pair.fails("ENXIO", on(R, nothing, "socket"))

    def test_ebadf_of_the_wrong_direction(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"content"))
        pair.fails("EBADF", on(R, lambda fd: os.write(fd, b"x")))
        pair.fails("EBADF", on(W, lambda fd: os.read(fd, 1)))
        pair.fails("EINVAL", on(R, lambda fd: os.ftruncate(fd, 0)))

    def test_eisdir_of_read(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir").mkdir())
        pair.fails("EISDIR", on(R, lambda fd: os.read(fd, 1), "dir"))

    def test_o_path(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"content"))
        pair.works(lambda r: (r / "link").symlink_to("f"))
        pair.works(on(os.O_PATH, lambda fd: os.fstat(fd).st_size))
        pair.fails("EBADF", on(os.O_PATH, lambda fd: os.read(fd, 1)))
        flags = os.O_PATH | os.O_NOFOLLOW
        pair.works(on(flags, lambda fd: stat.S_IFMT(os.fstat(fd).st_mode), "link"))
        pair.works(on(flags, lambda fd: os.readlink("", dir_fd=fd), "link"))

    def test_tmpfile(self, pair: Pair) -> None:
        pair.deviates("o-tmpfile", on(RW | os.O_TMPFILE, nothing, "."))


class TestRights:
    pytestmark = pytest.mark.usefixtures("root_user")

    @pytest.mark.parametrize("mode", [0o000, 0o400, 0o200, 0o040, 0o020, 0o004, 0o002, 0o666])
    def test_open(self, pair: Pair, mode: int) -> None:
        """Owner, group and others, each with their bits alone."""

        def plant(root: Path) -> None:
            (root / "f").write_bytes(b"content")
            os.chown(root / "f", 1001, 2001)
            os.chmod(root / "f", mode)

        pair.works(plant)
        for who in ((1001, 1), (2, 2001), (3, 3)):
            for flags in (R, W, RW, R | os.O_TRUNC, W | os.O_TRUNC):

                def attempt(root: Path, who: Any = who, flags: int = flags) -> None:
                    with as_user(*who):
                        on(flags, nothing)(root)

                pair.both(attempt)
                pair.works(lambda r: (r / "f").write_bytes(b"content"))

    def test_a_refused_truncation_truncates_nothing(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"content"))

        def attempt(root: Path) -> None:
            with as_user(1234, 1234):
                on(W | os.O_TRUNC, nothing)(root)

        pair.fails("EACCES", attempt)
        assert pair.works(lambda r: (r / "f").read_bytes()) == b"content"

    def test_supplementary_groups_count(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "f").write_bytes(b"content")
            os.chown(root / "f", 0, 3000)
            os.chmod(root / "f", 0o640)
            with as_user(1234, 1234, (3000,)):
                return (root / "f").read_bytes()

        pair.works(attempt)

    def test_a_descriptor_keeps_its_rights(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            with as_user(1234, 1234):
                fd = os.open(root / "f", RW | os.O_CREAT | os.O_EXCL, 0o000)
                try:
                    os.write(fd, b"written")
                    return os.pread(fd, 10, 0)
                finally:
                    os.close(fd)

        pair.works(attempt)
        assert pair.mount.judge.get(f"{pair.on_mount.name}/f") == b"written"

    def test_a_new_file_is_its_makers(self, pair: Pair) -> None:
        def attempt(root: Path) -> tuple[int, int, int]:
            with as_user(1234, 4321), umask(0o027):
                (root / "f").touch(0o666)
                found = os.stat(root / "f")
                return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)

        assert pair.works(attempt) == (1234, 4321, 0o640)

    def test_noatime_is_the_owners(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())

        def attempt(root: Path) -> None:
            with as_user(1234, 1234):
                on(R | os.O_NOATIME, nothing)(root)

        pair.fails("EPERM", attempt)


class TestFlags:
    def test_append(self, pair: Pair) -> None:
        """Each write goes to the end, wherever the offset is."""

        def attempt(root: Path) -> Any:
            (root / "f").write_bytes(b"12345")
            fd = os.open(root / "f", RW | os.O_APPEND)
            try:
                os.lseek(fd, 0, os.SEEK_SET)
                os.write(fd, b"67")
                where = os.lseek(fd, 0, os.SEEK_CUR)
                os.pwrite(fd, b"8", 0)  # appends on Linux: pwrite(2), BUGS
                os.lseek(fd, 1, os.SEEK_SET)
                return where, os.read(fd, 20)
            finally:
                os.close(fd)

        pair.works(attempt)
        pair.works(lambda r: (r / "f").read_bytes())

    def test_two_appenders(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            fds = [os.open(root / "f", W | os.O_APPEND | os.O_CREAT, 0o644) for _ in range(2)]
            for number in range(6):
                os.write(fds[number % 2], b"%d" % number)
            for fd in fds:
                os.close(fd)
            return (root / "f").read_bytes()

        assert pair.works(attempt) == b"012345"

    def test_trunc_empties_for_those_who_have_it_open(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "f").write_bytes(b"content")
            fd = os.open(root / "f", RW)
            try:
                on(W | os.O_TRUNC, nothing)(root)
                return os.fstat(fd).st_size, os.pread(fd, 10, 0)
            finally:
                os.close(fd)

        pair.works(attempt)

    def test_trunc_with_read_only(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"content"))
        pair.works(on(R | os.O_TRUNC, lambda fd: os.fstat(fd).st_size))
        pair.works(lambda r: (r / "f").read_bytes())

    def test_creat_of_what_is_there_changes_no_mode(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch(0o640))
        pair.works(on(W | os.O_CREAT, nothing, mode=0o777))
        pair.works(lambda r: stat.S_IMODE(os.stat(r / "f").st_mode))

    def test_creat_through_a_dangling_link(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "link").symlink_to("target"))
        pair.works(on(W | os.O_CREAT, lambda fd: os.write(fd, b"x"), "link"))
        pair.works(lambda r: (r / "target").read_bytes())

    def test_sync_flags(self, pair: Pair) -> None:
        for flag in (os.O_SYNC, os.O_DSYNC):
            pair.works(on(W | os.O_CREAT | flag, lambda fd: os.write(fd, b"now")))
        pair.works(on(R, os.fdatasync))

    def test_write_only_and_execute_only(self, pair: Pair) -> None:
        """The mode given to open(2) does not limit the descriptor that it returns."""
        pair.works(on(W | os.O_CREAT, lambda fd: os.write(fd, b"abc"), "g", 0o444))
        pair.works(lambda r: (r / "g").read_bytes())


class TestOffsets:
    def test_lseek(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"0123456789"))
        for offset, whence in ((3, os.SEEK_SET), (-2, os.SEEK_END), (100, os.SEEK_END)):
            pair.works(on(R, lambda fd, o=offset, w=whence: os.lseek(fd, o, w)))
        pair.fails("EINVAL", on(R, lambda fd: os.lseek(fd, -1, os.SEEK_SET)))
        pair.fails("EINVAL", on(R, lambda fd: os.lseek(fd, 0, 99)))

    def test_seek_hole_and_data(self, pair: Pair) -> None:
        """All of an object is data: its end is the first hole."""
        pair.works(lambda r: (r / "f").write_bytes(b"0123456789"))
        pair.works(on(R, lambda fd: os.lseek(fd, 0, os.SEEK_HOLE)))
        pair.works(on(R, lambda fd: os.lseek(fd, 0, os.SEEK_DATA)))
        pair.fails("ENXIO", on(R, lambda fd: os.lseek(fd, 10, os.SEEK_DATA)))
        pair.fails("ENXIO", on(R, lambda fd: os.lseek(fd, 11, os.SEEK_HOLE)))

    def test_holes_read_as_zeros(self, pair: Pair) -> None:
        pair.works(on(RW | os.O_CREAT, lambda fd: os.pwrite(fd, b"end", 10_000)))
        assert pair.works(lambda r: (r / "f").read_bytes()) == bytes(10_000) + b"end"

    def test_reading_at_and_behind_the_end(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"0123456789"))
        for offset in (5, 10, 11, 2**40):
            pair.works(on(R, lambda fd, o=offset: os.pread(fd, 100, o)))
        pair.works(on(R, lambda fd: os.read(fd, 0)))

    def test_the_largest_offset(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.fails("EINVAL", on(W, lambda fd: os.pwrite(fd, b"x", 2**63 - 1)))

    def test_vectors(self, pair: Pair) -> None:
        pair.works(on(RW | os.O_CREAT, lambda fd: os.writev(fd, [b"ab", b"", b"cde"])))
        pair.works(on(R, lambda fd: os.preadv(fd, [bytearray(2), bytearray(9)], 1)))

    def test_two_descriptors_see_each_other(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            one, two = (os.open(root / "f", RW | os.O_CREAT, 0o644) for _ in range(2))
            try:
                os.write(one, b"first")
                seen = os.read(two, 10)
                os.write(two, b"second")
                return seen, os.pread(one, 20, 0), os.fstat(one).st_size
            finally:
                os.close(one)
                os.close(two)

        pair.works(attempt)

    def test_copy_file_range_and_sendfile(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "from").write_bytes(b"0123456789")
            source = os.open(root / "from", R)
            target = os.open(root / "to", RW | os.O_CREAT, 0o644)
            try:
                os.copy_file_range(source, target, 5, 2, 0)
                os.lseek(target, 5, os.SEEK_SET)
                os.sendfile(target, source, 0, 3)
            finally:
                os.close(source)
                os.close(target)
            return (root / "to").read_bytes()

        assert pair.works(attempt) == b"23456012"


class TestMappings:
    def test_shared(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "f").write_bytes(b"0123456789")
            fd = os.open(root / "f", RW)
            with mmap.mmap(fd, 10) as mapped:
                mapped[2:4] = b"AB"
                mapped.flush()
            os.close(fd)
            return (root / "f").read_bytes()

        assert pair.works(attempt) == b"01AB456789"

    def test_private(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "f").write_bytes(b"0123456789")
            fd = os.open(root / "f", R)
            with mmap.mmap(fd, 10, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
                mapped[0:1] = b"X"
                seen = bytes(mapped[:3])
            os.close(fd)
            return seen, (root / "f").read_bytes()

        pair.works(attempt)

    def test_errors(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").write_bytes(b"0123456789"))
        pair.fails("EACCES", on(W, lambda fd: mmap.mmap(fd, 10).close()))
        pair.fails("EACCES", on(R, lambda fd: mmap.mmap(fd, 10).close()))

    def test_survives_unlink_and_close(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "f").write_bytes(b"0123456789")
            fd = os.open(root / "f", R)
            mapped = mmap.mmap(fd, 10, prot=mmap.PROT_READ)
            os.close(fd)
            os.unlink(root / "f")
            with mapped:
                return bytes(mapped)

        pair.works(attempt)
