"""mkdir(2), rmdir(2), unlink(2), symlink(2), link(2), mknod(2), rename(2), readdir(3)."""

# mypy: disable-error-code="misc"
# Lambdas that bind a loop variable by a default have no type that could be inferred.

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.posix.conftest import Pair
from tests.mount.posix.syscalls import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT,
    Directory,
    as_user,
    renameat2,
    umask,
)


def mode_of(path: Path) -> int:
    return os.lstat(path).st_mode


class TestDirectories:
    @pytest.mark.parametrize("mode", [0o777, 0o755, 0o700, 0o1777, 0o2755, 0o000])
    def test_mkdir_modes(self, pair: Pair, mode: int) -> None:
        def attempt(root: Path) -> int:
            with umask(0o022):
                os.mkdir(root / "dir", mode)
            return mode_of(root / "dir")

        pair.works(attempt)

    def test_rmdir_errors(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir" / "below").mkdir(parents=True))
        pair.works(lambda r: (r / "file").touch())
        pair.works(lambda r: (r / "link").symlink_to("dir"))
        pair.fails("ENOTEMPTY", lambda r: os.rmdir(r / "dir"))
        pair.fails("ENOTDIR", lambda r: os.rmdir(r / "file"))
        pair.fails("ENOTDIR", lambda r: os.rmdir(r / "link"))
        pair.fails("EINVAL", lambda r: os.rmdir(f"{r}/dir/below/."))
        pair.fails("ENOTEMPTY", lambda r: os.rmdir(f"{r}/dir/below/.."))
        pair.works(lambda r: os.rmdir(r / "dir" / "below"))
        pair.works(lambda r: os.rmdir(r / "dir"))

    def test_ebusy_of_the_root(self, pair: Pair) -> None:
        """A mountpoint is busy; the root is nobody's entry."""
        with pytest.raises(OSError, match="busy"):
            os.rmdir(pair.mount.path)
        with pytest.raises(OSError, match="busy"):
            os.rename(pair.mount.path, pair.mount.path.with_name("moved"))

    def test_an_unlinked_open_file_leaves_a_directory_empty(self, pair: Pair) -> None:
        def attempt(root: Path) -> None:
            (root / "dir").mkdir()
            with (root / "dir" / "file").open("wb"):
                os.unlink(root / "dir" / "file")
                os.rmdir(root / "dir")

        pair.works(attempt)

    def test_a_removed_working_directory(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "dir").mkdir()
            fd = os.open(root / "dir", os.O_RDONLY)
            try:
                os.rmdir(root / "dir")
                os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
            finally:
                os.close(fd)

        pair.fails("ENOENT", attempt)

    def test_times(self, pair: Pair) -> None:
        def attempt(root: Path) -> bool:
            (root / "dir").mkdir()
            os.utime(root / "dir", (1, 1))
            (root / "dir" / "new").touch()
            return os.stat(root / "dir").st_mtime > 1

        assert pair.works(attempt)

    def test_links(self, pair: Pair) -> None:
        def attempt(root: Path) -> int:
            (root / "dir" / "below").mkdir(parents=True)
            return os.stat(root / "dir").st_nlink

        pair.deviates("directory-nlink", attempt)

    @pytest.mark.usefixtures("root_user")
    def test_a_set_gid_directory_gives_its_group(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "dir").mkdir()
            os.chown(root / "dir", 0, 3000)
            os.chmod(root / "dir", 0o2777)
            with as_user(1234, 1234):
                (root / "dir" / "file").touch()
                (root / "dir" / "sub").mkdir()
                (root / "dir" / "link").symlink_to("x")
            made = [os.lstat(root / "dir" / n) for n in ("file", "sub", "link")]
            return [(m.st_gid, m.st_mode & 0o7000) for m in made]

        pair.works(attempt)


class TestUnlink:
    def test_errors(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir").mkdir())
        pair.fails("EISDIR", lambda r: os.unlink(r / "dir"))
        pair.fails("ENOENT", lambda r: os.unlink(r / "missing"))

    def test_the_link_and_not_its_target(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "dir").mkdir())
        pair.works(lambda r: (r / "link").symlink_to("dir"))
        pair.works(lambda r: os.unlink(r / "link"))
        pair.works(lambda r: sorted(os.listdir(r)))

    def test_an_open_file_goes_on(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            fd = os.open(root / "f", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                os.write(fd, b"before")
                os.unlink(root / "f")
                os.write(fd, b" after")
                os.fchmod(fd, 0o600)
                os.ftruncate(fd, 9)
                found = os.fstat(fd)
                return found.st_nlink, found.st_size, os.pread(fd, 20, 0), os.listdir(root)
            finally:
                os.close(fd)

        pair.works(attempt)

    def test_the_name_is_free_at_once(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            with (root / "f").open("w+b") as old:
                old.write(b"old")
                old.flush()
                os.unlink(root / "f")
                (root / "f").write_bytes(b"new")
                old.seek(0)
                return old.read(), (root / "f").read_bytes()

        pair.works(attempt)
        assert pair.works(lambda r: (r / "f").read_bytes()) == b"new"

    @pytest.mark.usefixtures("root_user")
    @pytest.mark.parametrize("who", [(1001, 1001), (1002, 1002), (1003, 1003)])
    def test_sticky_directories(self, pair: Pair, who: tuple[int, int]) -> None:
        """Of the sticky bit: only owners of an entry, or of the directory, take it away."""

        def plant(root: Path) -> None:
            (root / "dir").mkdir()
            os.chown(root / "dir", 1001, 1001)
            os.chmod(root / "dir", 0o1777)
            for name in ("remove", "move", "replace", "sub"):
                path = root / "dir" / name
                path.mkdir() if name == "sub" else path.touch()
                os.chown(path, 1002, 1002)

        def as_them(call: Callable[[Path], Any]) -> Callable[[Path], Any]:
            def run(root: Path) -> Any:
                with as_user(*who):
                    return call(root / "dir")

            return run

        pair.works(plant)
        pair.works(as_them(lambda d: (d / "own").touch()))
        pair.both(as_them(lambda d: os.unlink(d / "remove")))
        pair.both(as_them(lambda d: os.rename(d / "move", d / "moved")))
        pair.both(as_them(lambda d: os.rename(d / "own", d / "replace")))
        pair.both(as_them(lambda d: os.rmdir(d / "sub")))
        pair.works(lambda r: sorted(os.listdir(r / "dir")))


class TestLinks:
    def test_hard_links(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.deviates("hard-link", lambda r: os.link(r / "f", r / "g"))
        pair.fails("ENOENT", lambda r: os.link(r / "missing", r / "g2"))
        pair.fails("EEXIST", lambda r: os.link(r / "f", r / "f"))
        pair.works(lambda r: (r / "dir").mkdir())
        pair.fails("EPERM", lambda r: os.link(r / "dir", r / "h"))

    def test_symlink_errors(self, pair: Pair) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.fails("EEXIST", lambda r: os.symlink("x", r / "f"))
        pair.fails("ENOENT", lambda r: os.symlink("", r / "empty"))
        pair.fails("ENAMETOOLONG", lambda r: os.symlink("t" * 4096, r / "long"))
        pair.fails("EINVAL", lambda r: os.readlink(r / "f"))

    @pytest.mark.parametrize("text", ["x", "../x", "/x", "//x/./y/", "a\nb", "ü", "t" * 900])
    def test_texts(self, pair: Pair, text: str) -> None:
        pair.works(lambda r: os.symlink(text, r / "link"))
        assert pair.works(lambda r: os.readlink(r / "link")) == text
        pair.works(lambda r: os.lstat(r / "link").st_size)
        pair.works(lambda r: mode_of(r / "link"))

    def test_chains(self, pair: Pair) -> None:
        """Forty links are followed and no more: path_resolution(7)."""

        def attempt(root: Path) -> None:
            (root / "link0").write_bytes(b"end")
            for number in range(42):
                os.symlink(f"link{number}", root / f"link{number + 1}")

        pair.works(attempt)
        assert pair.works(lambda r: (r / "link40").read_bytes()) == b"end"
        pair.fails("ELOOP", lambda r: (r / "link41").read_bytes())


class TestNodes:
    @pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK, 0])
    def test_kinds(self, pair: Pair, kind: int) -> None:
        pair.works(lambda r: os.mknod(r / "node", kind | 0o640))
        pair.works(lambda r: mode_of(r / "node"))
        pair.fails("EEXIST", lambda r: os.mknod(r / "node", kind | 0o640))
        pair.works(lambda r: os.rename(r / "node", r / "moved"))
        pair.works(lambda r: mode_of(r / "moved"))
        pair.works(lambda r: os.unlink(r / "moved"))

    @pytest.mark.usefixtures("root_user")
    @pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
    def test_devices(self, pair: Pair, kind: int) -> None:
        def as_other(root: Path) -> None:
            with as_user(1234, 1234):
                os.mknod(root / "other", kind | 0o600, os.makedev(1, 3))

        pair.fails("EPERM", as_other)
        pair.works(lambda r: os.mknod(r / "node", kind | 0o600, os.makedev(1, 3)))
        pair.works(lambda r: (mode_of(r / "node"), os.lstat(r / "node").st_rdev))

    def test_directories_are_mkdirs(self, pair: Pair) -> None:
        pair.fails("EPERM", lambda r: os.mknod(r / "dir", stat.S_IFDIR | 0o755))
        pair.fails("EINVAL", lambda r: os.mknod(r / "link", stat.S_IFLNK | 0o755))

    def test_a_socket_is_bound(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            address = f"/proc/self/fd/{directory}/s" if (directory := os.open(root, 0)) else ""
            with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
                server.bind(address)
                server.listen()
                client.connect(address)
                client.sendall(b"hello")
                connection, _ = server.accept()
                with connection:
                    os.close(directory)
                    return connection.recv(10)

        assert pair.works(attempt) == b"hello"

    def test_a_fifo_carries(self, pair: Pair) -> None:
        def attempt(root: Path) -> bytes:
            os.mkfifo(root / "fifo")
            reader = os.open(root / "fifo", os.O_RDONLY | os.O_NONBLOCK)
            writer = os.open(root / "fifo", os.O_WRONLY)
            try:
                os.write(writer, b"through")
                return os.read(reader, 10)
            finally:
                os.close(writer)
                os.close(reader)

        assert pair.works(attempt) == b"through"


def plant(root: Path) -> None:
    for name in ("file", "other"):
        (root / name).write_text(name)
    for name in ("dir", "empty", "full"):
        (root / name).mkdir()
    (root / "full" / "entry").write_text("entry")
    (root / "dir" / "inside").write_text("inside")
    (root / "link").symlink_to("file")


NAMES = ("file", "other", "dir", "empty", "full", "link", "missing", "dir/inside", "dir/new")


def contents(root: Path) -> list[Any]:
    """Return all that is below."""
    found: list[Any] = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found.append((name, os.readlink(path)))
        else:
            found.append((name, path.read_bytes() if path.is_file() else None))
    return found


class TestRename:
    @pytest.mark.parametrize("old", NAMES)
    def test_every_kind_onto_every_kind(self, pair: Pair, old: str) -> None:
        """ENOENT, EISDIR, ENOTDIR, ENOTEMPTY, EINVAL, or done; and nothing else has changed."""
        for number, new in enumerate(NAMES):
            tree = str(number)
            pair.works(lambda r, t=tree: (r / t).mkdir())
            pair.works(lambda r, t=tree: plant(r / t))
            pair.both(lambda r, t=tree, n=new: os.rename(r / t / old, r / t / n))
            pair.works(lambda r, t=tree: contents(r / t))

    def test_below_itself(self, pair: Pair) -> None:
        pair.works(plant)
        pair.fails("EINVAL", lambda r: os.rename(r / "dir", r / "dir" / "below"))
        pair.fails("ENOTEMPTY", lambda r: os.rename(r / "dir" / "inside", r / "dir"))
        pair.both(lambda r: os.rename(f"{r}/dir/.", r / "moved"))
        pair.both(lambda r: os.rename(r / "file", f"{r}/dir/.."))

    def test_noreplace(self, pair: Pair) -> None:
        """libfuse 2 has no flags at all; what matters here is that nothing is lost."""
        pair.works(plant)
        with pytest.raises(OSError, match=r"Invalid|exists"):
            renameat2(pair.on_mount / "file", pair.on_mount / "other", RENAME_NOREPLACE)
        assert (pair.on_mount / "other").read_text() == "other"

    def test_flags(self, pair: Pair) -> None:
        pair.works(plant)
        for flag in (RENAME_EXCHANGE, RENAME_WHITEOUT):
            pair.deviates("rename-flags", lambda r, f=flag: renameat2(r / "file", r / "other", f))
        pair.fails("EINVAL", lambda r: renameat2(r / "file", r / "other", 3))
        assert (pair.on_mount / "other").read_text() == "other"

    def test_exdev(self, pair: Pair) -> None:
        pair.works(plant)
        with pytest.raises(OSError, match="cross-device"):
            os.rename(pair.on_mount / "file", pair.roots[0] / "new")

    @pytest.mark.parametrize("how", ["rmdir", "rename"])
    def test_an_open_directory_without_a_name(self, pair: Pair, how: str) -> None:
        def lose(root: Path) -> None:
            if how == "rmdir":
                os.rmdir(root / "dir")
            else:
                os.mkdir(root / "other")
                os.rename(root / "other", root / "dir")

        def attempt(root: Path) -> tuple[int, list[str]]:
            (root / "dir").mkdir()
            fd = os.open(root / "dir", os.O_RDONLY)
            try:
                lose(root)
                return os.fstat(fd).st_nlink, os.listdir(fd)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                raise FileNotFoundError(errno.ENOENT, "as libfuse 3 puts it") from error
            finally:
                os.close(fd)

        pair.deviates("removed-directory", attempt)

    def test_a_directory_that_is_removed_while_it_is_read(self, pair: Pair) -> None:
        def attempt(root: Path) -> list[str]:
            (root / "dir").mkdir()
            stream = Directory(root / "dir")
            os.rmdir(root / "dir")
            seen = stream.rest()
            stream.close()
            return seen

        assert pair.works(attempt) == []

    def test_an_open_file_keeps_its_descriptor(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            with (root / "f").open("w+b") as file:
                file.write(b"before")
                file.flush()
                os.rename(root / "f", root / "g")
                file.write(b" after")
                file.flush()
                seen = (root / "g").read_bytes()
            return seen, (root / "g").read_bytes(), os.listdir(root)

        pair.works(attempt)

    def test_a_replaced_open_file_goes_on(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            (root / "new").write_bytes(b"new")
            with (root / "f").open("w+b") as file:
                file.write(b"old")
                file.flush()
                os.rename(root / "new", root / "f")
                file.seek(0)
                links = os.fstat(file.fileno()).st_nlink
                return links, file.read(), (root / "f").read_bytes()

        pair.works(attempt)

    @pytest.mark.usefixtures("root_user")
    def test_rights(self, pair: Pair) -> None:
        """Both directories must be writable, and a directory that changes its parent as well."""

        def plant_it(root: Path) -> None:
            for name, mode in (("open", 0o777), ("closed", 0o755)):
                (root / name).mkdir()
                (root / name / "f").touch()
                (root / name / "d").mkdir()
                (root / name).chmod(mode)

        def move(old: str, new: str) -> Callable[[Path], None]:
            def run(root: Path) -> None:
                with as_user(1234, 1234):
                    os.rename(root / old, root / new)

            return run

        pair.works(plant_it)
        pair.fails("EACCES", move("open/f", "closed/g"))
        pair.fails("EACCES", move("closed/f", "open/g"))
        pair.fails("EACCES", move("open/d", "e"))
        pair.works(move("open/f", "open/h"))


class TestReaddir:
    NAMES = tuple(f"entry{number:03d}" for number in range(300))

    @pytest.fixture
    def full(self, pair: Pair) -> Pair:
        """A directory of enough names for several calls of getdents(2)."""
        for name in self.NAMES:
            (pair.roots[0] / name).touch()
            pair.mount.judge.put(f"{pair.on_mount.name}/{name}", b"")
        os.setxattr(pair.on_mount, "user.tagfs.refresh", b"")
        return pair

    def test_telldir_and_seekdir(self, full: Pair) -> None:
        def attempt(root: Path) -> Any:
            directory = Directory(root)
            read, places = [], []
            while True:
                places.append(directory.tell())
                name = directory.read()
                if name is None:
                    break
                read.append(name)
            again = []
            for number in (250, 3, 0, 120):
                directory.seek(places[number])
                again.append(directory.rest() == read[number:])
            directory.rewind()
            again.append(directory.rest() == read)
            directory.close()
            return again, sorted(read)

        again, names = full.works(attempt)
        assert all(again)
        assert names == sorted([".", "..", *self.NAMES])

    def test_removing_while_reading(self, full: Pair) -> None:
        """`rm -r` reads and removes by turns: each entry is seen once, and all are gone."""

        def attempt(root: Path) -> Any:
            directory = Directory(root)
            seen = []
            while (name := directory.read()) is not None:
                if name not in (".", ".."):
                    seen.append(name)
                    os.unlink(root / name)
            directory.close()
            return sorted(seen), os.listdir(root)

        seen, rest = full.works(attempt)
        assert (seen, rest) == (list(self.NAMES), [])

    def test_rewinddir_sees_what_is_new(self, pair: Pair) -> None:
        def attempt(root: Path) -> Any:
            directory = Directory(root)
            before = directory.rest()
            (root / "new").touch()
            directory.rewind()
            after = directory.rest()
            directory.close()
            return sorted(before), sorted(after)

        pair.works(attempt)

    def test_a_removed_directory(self, pair: Pair) -> None:
        def attempt(root: Path) -> list[str]:
            (root / "dir").mkdir()
            directory = Directory(root / "dir")
            os.rmdir(root / "dir")
            rest = [name for name in directory.rest() if name not in (".", "..")]
            directory.close()
            return rest

        pair.works(attempt)

    def test_types(self, pair: Pair) -> None:
        pair.works(plant)

        def attempt(root: Path) -> Any:
            with os.scandir(root) as entries:
                return sorted(
                    (e.name, e.is_dir(follow_symlinks=False), e.is_symlink()) for e in entries
                )

        pair.works(attempt)

    def test_inode_numbers_distinguish_files(self, pair: Pair) -> None:
        """What is linked once must not look linked: tar and du go by device and inode."""
        pair.works(plant)

        def attempt(root: Path) -> int:
            return len({os.lstat(path).st_ino for path in root.rglob("*")})

        pair.works(attempt)
