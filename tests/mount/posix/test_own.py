"""A mount that nobody else uses, as it is without options: call by call beside a local directory.

There the kernel judges by no modes itself, and knows of no sticky bits.
"""

import hashlib
import mmap
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import Emulator
from tests.mount.conftest import MountFactory
from tests.mount.posix.conftest import EVERYWHERE, SHM, Pair, everywhere
from tests.mount.posix.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, renameat2, utimensat
from tests.mounting import Mounted, mounted, run
from tests.waiting import until_stale

pytestmark = pytest.mark.services(*(EVERYWHERE if everywhere() else ("oss", "s3", "obs fuse2")))

LONG_AGO = 978_307_200


@pytest.fixture(scope="module")
def own(
    service: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Mounted]]:
    """A directory on tmpfs, and a bucket that is mounted without options that matter here."""
    local = Path(tempfile.mkdtemp(prefix="tagfs-own-", dir=SHM if SHM.is_dir() else None))
    path = tmp_path_factory.mktemp("own") / "mnt"
    try:
        with mounted(service, service.take(), path, "part_size=100K") as mount:
            yield local, mount
    finally:
        shutil.rmtree(local)


@pytest.fixture
def pair(own: tuple[Path, Mounted], request: pytest.FixtureRequest) -> Pair:
    """An empty directory of the test's own in both trees."""
    local, mount = own
    name = hashlib.blake2b(request.node.nodeid.encode(), digest_size=6).hexdigest()
    for tree in (local, mount.path):
        (tree / name).mkdir()
    return Pair(local / name, mount.path / name, mount)


def key(pair: Pair, name: str) -> str:
    return f"{pair.on_mount.name}/{name}"


class TestAccess:
    @pytest.mark.parametrize("mode", [0, 0o644, 0o100, 0o001, 0o755, 0o4644])
    def test_what_may_be_executed(self, pair: Pair, mode: int) -> None:
        pair.works(lambda r: (r / "f").touch())
        pair.works(lambda r: os.chmod(r / "f", mode))
        seen = pair.works(lambda r: [os.access(r / "f", a) for a in (os.X_OK, os.X_OK | os.R_OK)])
        assert seen == [bool(mode & 0o111)] * 2

    @pytest.mark.parametrize("mode", [0, 0o644, 0o755])
    def test_the_rest_is_the_mounting_users(self, pair: Pair, mode: int) -> None:
        """Who may use the mount may read and write what is in it, whoever it belongs to."""
        path = pair.on_mount / "f"
        path.touch()
        os.chown(path, 4711, 4711)
        os.chmod(path, mode)
        assert all(os.access(path, amode) for amode in (os.F_OK, os.R_OK, os.W_OK))

    def test_directories_and_links(self, pair: Pair) -> None:
        def attempt(root: Path) -> list[bool]:
            (root / "dir").mkdir()
            (root / "f").touch()
            (root / "link").symlink_to("f")
            (root / "gone").symlink_to("nowhere")
            return [os.access(root / n, os.X_OK) for n in ("dir", "f", "link", "gone", "none")]

        assert pair.works(attempt) == [True, False, False, False, False]
        run("true", cwd=pair.on_mount / "dir")  # chdir(2) asks as well

    def test_of_what_others_wrote(self, pair: Pair) -> None:
        pair.mount.judge.put(key(pair, "plain"), b"x")
        assert run("find", pair.on_mount, "-type", "f", "-executable") == ""
        assert shutil.which("plain", path=str(pair.on_mount)) is None

    def test_it_costs_no_more_than_a_stat(self, pair: Pair) -> None:
        for number in range(20):
            pair.mount.judge.put(key(pair, f"d/{number}"), b"x")
        pair.mount.forget()
        log = pair.mount.requests()
        run("find", pair.on_mount / "d", "-type", "f", "-size", "0")
        cost = len(log)
        pair.mount.forget()
        log = pair.mount.requests()
        run("find", pair.on_mount / "d", "-type", "f", "-executable")
        assert len(log) <= cost + 1  # ahead of what is asked for, one more may be under way
        assert "Permission" not in pair.mount.log()

    def test_a_mount_that_is_read_only(self, mount_with: MountFactory) -> None:
        mount = mount_with("ro")
        mount.judge.put("f", b"x")
        assert not os.access(mount.path / "f", os.W_OK)
        assert os.access(mount.path / "f", os.R_OK)


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def mapped(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 5) as pages:
        pages[:2] = b"ab"
        pages.flush()


def streamed(path: Path) -> None:
    with path.open("wb") as file:
        file.write(os.urandom(1 << 20))


def edited(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2)
        file.write(b"x")


def written_and_synced(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
        file.write(b"y")


WRITES: dict[str, Callable[[Path], Any]] = {
    "append": appended,
    "overwrite": lambda p: p.write_bytes(b"other"),
    "O_TRUNC": lambda p: os.close(os.open(p, os.O_WRONLY | os.O_TRUNC)),
    "truncate": lambda p: os.truncate(p, 2),
    "extend": lambda p: os.truncate(p, 100),
    "edit": edited,
    "large": streamed,
    "fsync": written_and_synced,
}


class TestAtime:
    @pytest.mark.parametrize("how", WRITES)
    def test_writing_leaves_it(self, pair: Pair, how: str) -> None:
        def attempt(root: Path) -> tuple[int, bool]:
            path = root / "f"
            path.write_bytes(b"content")
            os.utime(path, (LONG_AGO, LONG_AGO + 1))
            WRITES[how](path)
            found = os.stat(path)
            return int(found.st_atime), found.st_mtime > LONG_AGO + 1

        assert pair.works(attempt) == (LONG_AGO, True)
        pair.mount.forget()
        assert int(os.stat(pair.on_mount / "f").st_atime) == LONG_AGO

    def test_writing_through_a_mapping_leaves_it(self, pair: Pair) -> None:
        """On tmpfs a mapping reads, which sets it."""
        path = pair.on_mount / "f"
        path.write_bytes(b"content")
        os.utime(path, (LONG_AGO, LONG_AGO + 1))
        mapped(path)
        assert path.read_bytes() == b"abntent"
        assert int(os.stat(path).st_atime) == LONG_AGO
        assert os.stat(path).st_mtime > LONG_AGO + 1

    def test_of_a_file_that_is_being_written(self, pair: Pair) -> None:
        def attempt(root: Path) -> int:
            with (root / "f").open("wb") as file:
                file.write(b"one")
                file.flush()
                os.utime(file.fileno(), (LONG_AGO, LONG_AGO))
                file.write(b"two")
            return int(os.stat(root / "f").st_atime)

        assert pair.works(attempt) == LONG_AGO

    def test_what_nobody_set_is_not_kept(self, pair: Pair) -> None:
        (pair.on_mount / "f").write_bytes(b"content")
        assert "atime" not in pair.mount.judge.head(key(pair, "f")).meta


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
class TestChown:
    @pytest.mark.parametrize("mode", [0o7777, 0o1777, 0o5755, 0o3755, 0o6755, 0o7644])
    @pytest.mark.parametrize("what", ["file", "directory"])
    def test_the_sticky_bit_stays(self, pair: Pair, mode: int, what: str) -> None:
        def attempt(root: Path) -> int:
            path = root / what
            path.touch() if what == "file" else path.mkdir()
            os.chmod(path, mode)
            os.chown(path, 5, 5)
            return stat.S_IMODE(os.stat(path).st_mode)

        pair.works(attempt)

    def test_a_program_may_take_it(self, pair: Pair) -> None:
        def attempt(root: Path) -> int:
            (root / "f").touch()
            os.chmod(root / "f", 0o7777)
            os.chmod(root / "f", 0o777)
            os.chown(root / "f", 5, 5)
            return stat.S_IMODE(os.stat(root / "f").st_mode)

        assert pair.works(attempt) == 0o777


def is_libfuse3(mount: Mounted) -> bool:
    return "(libfuse 3." in mount.log()


class TestNoReplace:
    @pytest.fixture
    def on3(self, pair: Pair) -> Pair:
        if not is_libfuse3(pair.mount):
            pytest.skip("libfuse 2 has no flags of rename")
        return pair

    @pytest.mark.parametrize("what", ["file", "link", "directory", "open", "fifo"])
    def test_to_a_free_name(self, on3: Pair, what: str) -> None:
        def attempt(root: Path) -> list[str]:
            make(root / "old", what)
            with (root / "unfinished").open("wb") as file:
                file.write(b"x")
                source = "unfinished" if what == "open" else "old"
                renameat2(root / source, root / "new", RENAME_NOREPLACE)
            return sorted(os.listdir(root))

        on3.works(attempt)

    @pytest.mark.parametrize("what", ["file", "link", "directory"])
    def test_over_what_is_there(self, on3: Pair, what: str) -> None:
        def attempt(root: Path) -> None:
            make(root / "old", what)
            make(root / "new", what)
            renameat2(root / "old", root / "new", RENAME_NOREPLACE)

        on3.fails("EEXIST", attempt)

    @pytest.mark.parametrize("what", ["file", "link", "directory"])
    def test_over_what_another_host_made(self, on3: Pair, what: str) -> None:
        """The kernel knows the name for free, and so does the mount; the service knows better."""
        make(on3.on_mount / "old", what)
        assert not (on3.on_mount / "new").exists()
        theirs = key(on3, "new/" if what == "directory" else "new")
        on3.mount.judge.put(theirs, b"", {"theirs": "1"})
        if what == "directory":
            until_stale()
        with pytest.raises(FileExistsError):
            renameat2(on3.on_mount / "old", on3.on_mount / "new", RENAME_NOREPLACE)
        assert on3.mount.tags(theirs) == {"theirs": "1"}
        assert (on3.on_mount / "old").exists() or (on3.on_mount / "old").is_symlink()

    def test_a_name_that_was_just_removed_is_free(self, on3: Pair) -> None:
        def attempt(root: Path) -> bytes:
            (root / "old").write_bytes(b"old")
            with (root / "new").open("wb") as file:
                file.write(b"new")
                (root / "new").unlink()
                renameat2(root / "old", root / "new", RENAME_NOREPLACE)
            return (root / "new").read_bytes()

        assert on3.works(attempt) == b"old"

    def test_mv_costs_what_it_did(self, on3: Pair) -> None:
        """mv(1) asks for it each time."""
        (on3.on_mount / "f").write_bytes(b"x")
        log = on3.mount.requests()
        subprocess.run(["mv", on3.on_mount / "f", on3.on_mount / "g"], check=True)
        assert log.kinds() == {"PUT copy": 1, "DELETE": 1}

    def test_exchange_is_refused(self, pair: Pair) -> None:
        make(pair.on_mount / "a", "file")
        make(pair.on_mount / "b", "file")
        with pytest.raises(OSError, match="Invalid"):
            renameat2(pair.on_mount / "a", pair.on_mount / "b", RENAME_EXCHANGE)


def make(path: Path, what: str) -> None:
    {
        "file": lambda: path.write_bytes(b"content"),
        "open": lambda: path.write_bytes(b"content"),
        "fifo": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to("target"),
        "directory": path.mkdir,
    }[what]()


class TestLinks:
    @pytest.mark.parametrize(
        "text",
        [
            "ab/" * 350 + "e",
            "a/" * 511 + "b",
            "a/" * 512,
            "a/" * 2047 + "b",
            "a" * 4095,
            "/" + "b/" * 2000,
            "../" * 1365,
            "é/" * 600,
            "x" * 255 + "/" + "y" * 255,
        ],
        ids=lambda text: f"{text[:3]}{len(text)}",
    )
    def test_texts_of_every_length(self, pair: Pair, text: str) -> None:
        def attempt(root: Path) -> str:
            (root / "link").symlink_to(text)
            os.rename(root / "link", root / "moved")
            return os.readlink(root / "moved")

        assert pair.works(attempt) == os.readlink(pair.on_mount / "moved")
        pair.mount.forget()
        assert os.readlink(pair.on_mount / "moved") == text


class TestUnmarkedDirectories:
    def test_their_time_is_the_same_on_every_mount(self, mount_with: MountFactory) -> None:
        seen = []
        mounts = [mount_with(options) for options in ("", "", "attributes=listing")]
        mounts[0].judge.put("d/f", b"x")
        for mount in mounts:
            found = [os.stat(path) for path in (mount.path, mount.path / "d")]
            seen.append([(s.st_mtime_ns, s.st_ctime_ns, s.st_atime_ns) for s in found])
        assert seen[0] == seen[1] == seen[2]
        assert len({*seen[0]}) == 1
        utimensat(mounts[0].path, (5, 0), (6, 0))  # is accepted, and kept while it is mounted
