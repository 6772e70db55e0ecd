"""`durability=local`: close is answered by the local disk, and nothing is lost all the same.

While the service refuses every PUT, uploads are tried again and again, and what was closed is held.
Sixteen uploads run at once: once as many files are `busy`, whatever is closed after them waits, and
its upload has not even begun.
"""

import errno
import json
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.mount.conftest import ALL, Faults, MountFactory
from tests.mount.test_recover import assert_nothing_left, recover, recovered
from tests.mounting import KEYS, Mounted, RequestLog, getfattr, mounted, run, unmount, wait_for
from tests.waiting import FAR

LOCAL = "durability=local"
SLOW = "delay=0.3"
UPLOADS = 16
MTIME = 10**18 + 7
STORED_MTIME = "1000000000.000000007"


class Gate:
    """Lets uploads of one bucket through, or refuses them."""

    def __init__(self, faults: Faults, bucket: str) -> None:
        self._faults = faults
        self._bucket = bucket

    def shut(self, key: str = "*", times: int | None = None, how: str = "status=503") -> None:
        """Refuse to write keys; of `times` attempts, if that is given."""
        limit = "" if times is None else f":times={times}"
        self._faults.set(f"{how}:op=PutObject:bucket={self._bucket}:key={key}{limit}")

    def open(self) -> None:
        self._faults.clear()

    def hits(self) -> int:
        return self._faults.hits()


@pytest.fixture
def gate(refusals: Faults, bucket: str) -> Gate:
    return Gate(refusals, bucket)


@pytest.fixture
def mount(service: Emulator, bucket: str, tmp_path: Path, gate: Gate) -> Iterator[Mounted]:
    """An empty bucket, and a gate that is open again before it is unmounted."""
    with mounted(service, bucket, tmp_path / "mnt", LOCAL) as running:
        yield running
        gate.open()


def status(mount: Mounted) -> dict[str, int]:
    reported = json.loads(os.getxattr(mount.path, "user.tagfs.status"))
    return {name: reported[name] for name in ("held_files", "held_bytes", "failing_uploads")}


def all_is_uploaded(mount: Mounted) -> bool:
    return status(mount)["held_files"] == 0


def sync(path: Path) -> None:
    """Wait until the service has a file, or everything in a directory."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def be_busy(mount: Mounted, gate: Gate) -> None:
    """Have every thread try in vain to upload something; other keys may be written."""
    gate.shut("busy-*")
    for number in range(UPLOADS):
        (mount.path / f"busy-{number:02}").write_bytes(b"busy")


def keys(mount: Mounted) -> list[str]:
    """Return the keys of the bucket, without those of the busy threads."""
    found = mount.keys()
    return sorted(key for key in found if not key.startswith("busy-"))


def write(path: Path, content: bytes, **tags: str) -> None:
    with path.open("wb") as file:
        file.write(content)
        for key, value in tags.items():
            os.setxattr(path, f"user.tag.{key}", value.encode())


def of_key(log: RequestLog, *wanted: str) -> list[str]:
    """Return what was asked of some keys, looks apart."""
    rows = [row for row in log.rows() if row["key"] in wanted]
    return [
        f"{r['method']} {r['subresource'] or ''}".strip() for r in rows if r["method"] != "HEAD"
    ]


def failing(call: Callable[[], object]) -> int | None:
    with pytest.raises(OSError) as caught:
        call()
    return caught.value.errno


class TestClose:
    @ALL
    def test_it_is_answered_though_the_service_is_not_there(
        self, mount: Mounted, gate: Gate
    ) -> None:
        be_busy(mount, gate)
        directory = mount.path / "d"
        directory.mkdir(0o750)
        write(directory / "f", b"content", team="blue", k="")
        (directory / "f").chmod(0o640)
        os.utime(directory / "f", ns=(MTIME, MTIME))
        os.setxattr(directory, "user.tag.of", b"directory")

        assert mount.keys() == []
        seen = (directory / "f").stat()
        assert (seen.st_size, stat.S_IMODE(seen.st_mode)) == (7, 0o640)
        assert seen.st_mtime_ns == MTIME
        assert (directory / "f").read_bytes() == b"content"
        assert os.listdir(directory) == ["f"]
        assert "d" in os.listdir(mount.path)
        assert getfattr(directory / "f") == {"user.tag.team": "blue", "user.tag.k": ""}
        assert getfattr(directory) == {"user.tag.of": "directory"}
        assert stat.S_IMODE(directory.stat().st_mode) == 0o750
        assert not (directory / "g").exists()
        reported = {"held_files": UPLOADS + 2, "held_bytes": 4 * UPLOADS + 7, "failing_uploads": 0}
        assert status(mount) == reported
        assert mount.keys() == []

        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        assert keys(mount) == ["d/", "d/f"]
        assert mount.content("d/f") == b"content"
        assert mount.tags("d/f") == {"team": "blue", "k": ""}
        assert mount.tags("d/") == {"of": "directory"}
        meta = mount.judge.head("d/f").meta
        assert (meta["mode"], meta["mtime"]) == (str(0o100640), STORED_MTIME)
        assert mount.judge.head("d/").meta["mode"] == str(0o040750)
        wait_for(lambda: not mount.staged())

    def test_what_is_in_a_new_directory_stays_there(self, mount: Mounted) -> None:
        """Its files are uploaded before its own marker, which waits for its mode and times."""
        (mount.path / "d").mkdir()
        (mount.path / "d/e").mkdir()
        for name in ("d/f", "d/e/g"):
            (mount.path / name).write_bytes(name.encode())
        wait_for(lambda: set(mount.keys()) >= {"d/f", "d/e/g"})
        wait_for(lambda: status(mount)["held_files"] <= 2)
        assert sorted(os.listdir(mount.path / "d")) == ["e", "f"]
        assert os.listdir(mount.path / "d/e") == ["g"]
        assert (mount.path / "d/f").read_bytes() == b"d/f"
        assert (mount.path / "d/e/g").stat().st_size == 5
        sync(mount.path)
        assert sorted(os.listdir(mount.path / "d")) == ["e", "f"]

    def test_links_and_pipes_in_a_new_directory(self, mount: Mounted) -> None:
        """These are made on the service at once, whatever becomes of the directory's marker."""
        (mount.path / "d").mkdir()
        (mount.path / "d/l").symlink_to("to")
        os.mkfifo(mount.path / "d/p")
        assert sorted(os.listdir(mount.path / "d")) == ["l", "p"]
        assert os.readlink(mount.path / "d/l") == "to"
        assert stat.S_ISFIFO((mount.path / "d/p").stat().st_mode)

    def test_a_new_file_is_read_while_it_is_uploaded(
        self, mount_with: MountFactory, gate: Gate
    ) -> None:
        """Whoever had to wait for the upload would see it fail."""
        mount = mount_with(f"{LOCAL},timeout={FAR}")
        gate.shut()
        write(mount.path / "f", b"content", k="v")
        wait_for(lambda: gate.hits() > 0)
        assert (mount.path / "f").stat().st_size == 7
        assert getfattr(mount.path / "f") == {"user.tag.k": "v"}
        assert os.listdir(mount.path) == ["f"]
        assert (mount.path / "f").read_bytes() == b"content"
        assert status(mount)["failing_uploads"] == 0, "it waited for the upload"
        gate.open()

    def test_who_changes_a_held_file_waits_for_its_upload(self, mount: Mounted, gate: Gate) -> None:
        for number, change in enumerate((rewrite, truncate, append, replace)):
            path = mount.path / f"f{number}"
            gate.shut(f"f{number}", how=SLOW)
            path.write_bytes(b"first")
            log = mount.requests()
            change(path)
            gate.open()
            sync(path)
            assert mount.content(path.name) == path.read_bytes()
            assert b"first" not in path.read_bytes() or change is append
            made = [kind for kind in of_key(log, path.name) if kind in ("PUT", "PUT copy")]
            assert len(made) == 2, "the first content went first"


def rewrite(path: Path) -> None:
    path.write_bytes(b"second")


def truncate(path: Path) -> None:
    os.truncate(path, 2)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b", second")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"second")
    path.with_name("new").replace(path)


class TestBudgets:
    """One PUT for whatever is made, with all that is set on it at once.

    What a tool sets a moment after it has closed a file goes along with that. How long that moment
    may be on a busy machine is not what is tested.
    """

    @pytest.fixture
    def mount(
        self, service: Emulator, bucket: str, tmp_path: Path, gate: Gate
    ) -> Iterator[Mounted]:
        keys = {**KEYS, **zygote.constants(GRACE=5.0, DIRECTORY_GRACE=10.0)}
        with mounted(service, bucket, tmp_path / "mnt", LOCAL, keys=keys) as running:
            yield running
            gate.open()

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        """A tree of 3 directories and 9 files, all with tags, modes and times of their own."""
        top = tmp_path / "tree"
        for directory in (top, top / "a", top / "a/b"):
            directory.mkdir()
            for number in range(3):
                write(directory / f"{number}", b"x%d" % number, k=f"v{number}")
                (directory / f"{number}").chmod(0o600 + number * 8)
                os.utime(directory / f"{number}", ns=(MTIME, MTIME + number))
            os.setxattr(directory, "user.tag.d", b"1")
        for directory in (top / "a/b", top / "a", top):
            directory.chmod(0o750)
            os.utime(directory, ns=(MTIME, MTIME))
        return top

    def assert_same(self, mount: Mounted, tree: Path) -> None:
        """Compare what the judge sees below `t/` with a tree."""
        for path in (tree, *tree.rglob("*")):
            relative = path.relative_to(tree.parent)
            key = f"t/{path.relative_to(tree)}/" if path.is_dir() else f"t/{path.relative_to(tree)}"
            key = key.replace("/./", "/")
            meta = mount.judge.head(key).meta
            assert int(meta["mode"]) == path.stat().st_mode, relative
            seconds, _, nanoseconds = meta["mtime"].partition(".")
            stored = int(seconds) * 10**9 + int(nanoseconds.ljust(9, "0") or 0)
            assert stored == path.stat().st_mtime_ns, relative
            tags = {n.removeprefix("user.tag."): v for n, v in getfattr(path).items()}
            assert mount.tags(key) == tags, relative
            if path.is_file():
                assert mount.content(key) == path.read_bytes()

    def assert_cheap(self, log: RequestLog) -> None:
        kinds = log.kinds()
        assert kinds["PUT"] == 9 + 3, kinds
        assert set(kinds) <= {"PUT", "HEAD", "GET list"}, kinds
        written = [row["key"] for row in log.rows() if row["method"] == "PUT"]
        assert len(set(written)) == len(written)

    def test_cp_r(self, mount: Mounted, tree: Path) -> None:
        log = mount.requests()
        run("cp", "-r", tree, mount.path / "t")
        sync(mount.path)
        self.assert_cheap(log)
        assert mount.content("t/a/b/2") == b"x2"

    def test_cp_a(self, mount: Mounted, tree: Path) -> None:
        log = mount.requests()
        run("cp", "-a", "--preserve=xattr", tree, mount.path / "t")
        sync(mount.path)
        self.assert_cheap(log)
        self.assert_same(mount, tree)

    @ALL
    def test_rsync(self, mount: Mounted, tree: Path) -> None:
        """It writes .name.XXXXXX, sets times and mode and tags, and renames."""
        log = mount.requests()
        run("rsync", "-aX", f"{tree}/", mount.path / "t")
        sync(mount.path)
        self.assert_cheap(log)
        self.assert_same(mount, tree)
        assert run("rsync", "-aXin", f"{tree}/", mount.path / "t") == ""

    def test_tar(self, mount: Mounted, tree: Path, tmp_path: Path) -> None:
        xattrs = ("--xattrs", "--xattrs-include=user.*")
        run("tar", "cf", tmp_path / "t.tar", *xattrs, "-C", tree, ".")
        (mount.path / "t").mkdir()
        log = mount.requests()
        run("tar", "xpf", tmp_path / "t.tar", *xattrs, "-C", mount.path / "t")
        sync(mount.path)
        self.assert_same(mount, tree)
        kinds = log.kinds()
        # It makes each file with mknod(2), which the service hears of, and tags that one.
        assert kinds["PUT"] <= 9 * 2 + 3, kinds
        assert "PUT copy" not in kinds
        assert "PUT metadata" not in kinds

    def test_an_editors_save(self, mount: Mounted, gate: Gate) -> None:
        """G5: and the tags of the file that it replaces stay."""
        mount.judge.put("f", b"old", {"k": "v"})
        (mount.path / "f").stat()
        be_busy(mount, gate)
        log = mount.requests()
        (mount.path / "f.new").write_bytes(b"new")
        (mount.path / "f.new").chmod(0o600)
        (mount.path / "f.new").replace(mount.path / "f")
        assert (mount.path / "f").read_bytes() == b"new"
        assert mount.content("f") == b"old"
        gate.open()
        sync(mount.path)
        assert keys(mount) == ["f"]
        assert mount.content("f") == b"new"
        assert mount.tags("f") == {"k": "v"}
        assert mount.judge.head("f").meta["mode"] == str(0o100600)
        assert of_key(log, "f.new") == []
        asked = of_key(log, "f")
        assert asked.count("PUT") == 1
        assert set(asked) <= {"PUT", "GET tagging", "GET acl", "GET"}, (
            "the judge's GET apart: no copy"
        )

    def test_what_is_removed_before_it_is_uploaded_costs_nothing(
        self, mount: Mounted, gate: Gate
    ) -> None:
        be_busy(mount, gate)
        log = mount.requests()
        (mount.path / "f").write_bytes(b"temporary")
        (mount.path / "g").write_bytes(b"temporary")
        (mount.path / "g").rename(mount.path / "h")
        for name in ("f", "h"):
            (mount.path / name).unlink()
        assert not (mount.path / "f").exists()
        gate.open()
        sync(mount.path)
        assert of_key(log, "f", "g", "h") == []
        assert keys(mount) == []

    def test_what_is_removed_at_once_is_not_there(self, mount: Mounted) -> None:
        log = mount.requests()
        for number in range(100):
            path = mount.path / f"f{number}"
            path.write_bytes(b"temporary")
            path.unlink()
            assert not path.exists()
        sync(mount.path)
        assert mount.keys() == []
        assert log.kinds()["PUT"] <= 100
        assert os.listdir(mount.path) == []


class TestFsync:
    def test_of_a_file(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=SLOW)
        with (mount.path / "f").open("wb") as file:
            file.write(b"content")
            file.flush()
            os.fsync(file.fileno())
            assert mount.content("f") == b"content"

    def test_of_a_file_that_is_held(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=SLOW)
        (mount.path / "f").write_bytes(b"content")
        sync(mount.path / "f")
        assert mount.content("f") == b"content"

    def test_of_a_directory(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=SLOW)
        (mount.path / "d/e").mkdir(parents=True)
        for name in ("d/f", "d/g", "d/e/h"):
            (mount.path / name).write_bytes(b"content")
        sync(mount.path / "d")
        assert mount.keys() == ["d/", "d/e/", "d/e/h", "d/f", "d/g"]

    def test_of_an_empty_directory(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=SLOW)
        (mount.path / "d").mkdir()
        sync(mount.path / "d")
        assert mount.keys() == ["d/"]


def umount(mount: Mounted) -> None:
    unmount(mount)


def sigterm(mount: Mounted) -> None:
    mount.process.send_signal(signal.SIGTERM)
    mount.process.wait(FAR)


class TestTheEnd:
    """F4. SIGTERM and unmount finish uploads, or keep what is staged and say where it is."""

    @pytest.mark.parametrize("end", [umount, sigterm])
    def test_everything_is_uploaded(
        self, mount: Mounted, gate: Gate, end: Callable[[Mounted], None]
    ) -> None:
        gate.shut(how=SLOW)
        (mount.path / "d").mkdir()
        wanted = [f"d/{number:02}" for number in range(30)]
        for key in wanted:
            write(mount.path / key, key.encode(), k="v")
        (mount.path / "d/00").chmod(0o600)
        end(mount)
        assert mount.process.returncode == 0
        assert mount.keys() == ["d/", *wanted]
        assert all(mount.content(key) == key.encode() for key in wanted)
        assert mount.tags("d/29") == {"k": "v"}
        assert mount.judge.head("d/00").meta["mode"] == str(0o100600)
        assert_nothing_left(mount)

    def test_more_files_and_directories_than_are_held(self, mount: Mounted, gate: Gate) -> None:
        """Who closes one more waits until another one is uploaded."""
        gate.shut()

        def make() -> None:
            for number in range(300):
                (mount.path / f"d{number:03}").mkdir()
                (mount.path / f"d{number:03}/f").write_bytes(b"%d" % number)

        thread = threading.Thread(target=make)
        thread.start()
        wait_for(lambda: status(mount)["held_files"] >= 256)
        thread.join(0.5)
        assert thread.is_alive()
        assert status(mount)["held_files"] == 256
        assert mount.keys() == []
        gate.open()
        thread.join(FAR)
        umount(mount)
        assert mount.process.returncode == 0
        numbers = range(300)
        assert mount.keys() == [f"d{n:03}/{name}" for n in numbers for name in ("", "f")]
        assert mount.content("d299/f") == b"299"
        assert_nothing_left(mount)

    def test_a_dead_service_takes_nothing_and_recover_does(
        self, mount_with: MountFactory, gate: Gate
    ) -> None:
        mount = mount_with(f"{LOCAL},timeout=3")
        gate.shut()
        (mount.path / "d").mkdir()
        for number in range(20):
            (mount.path / f"d/{number:02}").write_bytes(b"%d" % number)
        umount(mount)
        assert mount.process.returncode == 0
        assert mount.keys() == []
        assert "run `tagfs recover" in mount.log()
        gate.open()
        recovered(mount)
        assert mount.keys() == ["d/", *(f"d/{number:02}" for number in range(20))]
        assert mount.content("d/19") == b"19"
        assert_nothing_left(mount)


class TestCrash:
    """D5. Nothing that an application was told is safe is ever lost."""

    @ALL
    def test_the_last_state_is_recovered(self, mount: Mounted, gate: Gate) -> None:
        mount.judge.put("old", b"old", {"team": "blue"})
        mount.judge.put("log", b"one, ", {"team": "red"})
        be_busy(mount, gate)
        top = mount.path
        (top / "d").mkdir()
        (top / "d").chmod(0o750)
        os.setxattr(top / "d", "user.tag.of", b"d")
        os.utime(top / "d", ns=(MTIME, MTIME))
        (top / "d/e").mkdir()
        write(top / "d/made", b"made", k="v", gone="1")
        (top / "d/made").chmod(0o600)
        os.utime(top / "d/made", ns=(MTIME, MTIME))
        os.setxattr(top / "d/made", "user.tag.k", b"new")
        os.removexattr(top / "d/made", "user.tag.gone")
        (top / "d/made").rename(top / "d/e/moved")
        os.setxattr(top / "d/e/moved", "user.tag.late", b"1")
        (top / "d/e/moved").chmod(0o640)
        (top / "old").write_bytes(b"new")
        (top / "old").chmod(0o640)
        with (top / "log").open("ab") as file:
            file.write(b"two")
        (top / "removed").write_bytes(b"removed")
        (top / "removed").unlink()
        (top / "empty").touch()
        mount.kill()
        assert keys(mount) == ["log", "old"]
        gate.open()
        recovered(mount)
        self.check_the_last_state(mount)
        assert_nothing_left(mount)

    def check_the_last_state(self, mount: Mounted) -> None:
        assert keys(mount) == ["d/", "d/e/", "d/e/moved", "empty", "log", "old"]
        assert mount.content("d/e/moved") == b"made"
        assert mount.tags("d/e/moved") == {"k": "new", "late": "1"}
        meta = mount.judge.head("d/e/moved").meta
        assert (meta["mode"], meta["mtime"]) == (str(0o100640), STORED_MTIME)
        meta = mount.judge.head("d/").meta
        assert (meta["mode"], meta["mtime"]) == (str(0o040750), STORED_MTIME)
        assert mount.tags("d/") == {"of": "d"}
        assert (mount.content("old"), mount.tags("old")) == (b"new", {"team": "blue"})
        assert mount.judge.head("old").meta["mode"] == str(0o100640)
        assert (mount.content("log"), mount.tags("log")) == (b"one, two", {"team": "red"})
        assert mount.content("empty") == b""

    def test_a_file_that_replaced_an_object(self, mount: Mounted, gate: Gate) -> None:
        """An editor's save: the rename has returned, so what it replaced is to be replaced."""
        mount.judge.put("f", b"old", {"k": "v"})
        be_busy(mount, gate)
        (mount.path / "f.new").write_bytes(b"new")
        (mount.path / "f.new").replace(mount.path / "f")
        mount.kill()
        assert mount.content("f") == b"old"
        gate.open()
        recovered(mount)
        assert keys(mount) == ["f"]
        assert mount.content("f") == b"new"
        assert mount.tags("f") == {"k": "v"}
        assert_nothing_left(mount)

    def test_a_directory_that_was_moved(self, mount: Mounted, gate: Gate) -> None:
        gate.shut("d/*", how=SLOW)
        (mount.path / "d").mkdir()
        write(mount.path / "d/f", b"content", k="v")
        (mount.path / "d").rename(mount.path / "e")
        gate.shut()
        (mount.path / "e/g").write_bytes(b"more")
        mount.kill()
        gate.open()
        recovered(mount)
        assert mount.keys() == ["e/", "e/f", "e/g"]
        assert mount.tags("e/f") == {"k": "v"}
        assert mount.content("e/g") == b"more"
        assert_nothing_left(mount)

    def test_in_the_middle_of_many_closes(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how="delay=0.05")
        closed: list[str] = []

        def work(worker: int) -> None:
            directory = f"w{worker}"
            try:
                (mount.path / directory).mkdir()
                closed.append(directory + "/")
                for number in range(10_000):
                    key = f"{directory}/{number}"
                    if number % 2:
                        (mount.path / key).write_bytes(key.encode())
                    else:
                        save_as_rsync(mount.path / key, key.encode())
                    closed.append(key)
            except OSError:
                pass  # the mount was killed

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(closed) > 200)
        mount.kill()
        for thread in threads:
            thread.join(FAR)
        done = list(closed)
        gate.open()
        recover(mount)  # what was still being written is nobody's
        there = set(mount.keys())
        assert set(done) <= there
        assert len(there - set(done)) <= 2 * len(threads), "nothing has a name that it lost"
        for key in done:
            if not key.endswith("/"):
                assert mount.content(key) == key.encode()
            if key.endswith(("0", "2", "4", "6", "8")):
                meta = mount.judge.head(key).meta
                assert (meta["mode"], meta["mtime"]) == (str(0o100604), STORED_MTIME)


def save_as_rsync(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.abCD12")
    temporary.write_bytes(content)
    temporary.chmod(0o604)
    os.utime(temporary, ns=(MTIME, MTIME))
    temporary.rename(path)


DENIED = "deny"
UNAVAILABLE = "status=503"
ERRNO = {DENIED: errno.EACCES, UNAVAILABLE: errno.EIO}


class TestFailures:
    @pytest.fixture
    def mount(self, mount_with: MountFactory) -> Mounted:
        return mount_with(f"{LOCAL},timeout=1")

    @pytest.mark.parametrize("how", [DENIED, UNAVAILABLE])
    def test_it_is_reported_and_retried(self, mount: Mounted, gate: Gate, how: str) -> None:
        gate.shut("bad*", how=how)
        write(mount.path / "bad", b"bad", k="v")
        wait_for(lambda: status(mount)["failing_uploads"] == 1)
        assert "/bad: not uploaded" in mount.log()
        assert " ERROR " in next(x for x in mount.log().splitlines() if "/bad: not" in x)
        assert os.listdir(mount.path) == ["bad"]
        assert (mount.path / "bad").read_bytes() == b"bad"
        assert getfattr(mount.path / "bad") == {"user.tag.k": "v"}

        (mount.path / "good").write_bytes(b"good")
        (mount.path / "d").mkdir()
        assert mount.keys() == ["d/", "good"], "they have waited for their own uploads"
        assert failing(lambda: (mount.path / "bad2").write_bytes(b"bad2")) == ERRNO[how]
        assert failing((mount.path / "bad-d").mkdir) == ERRNO[how]
        kept = [x for x in mount.log().splitlines() if "/bad2: not uploaded" in x]
        assert len(kept) == 1
        assert Path(kept[0].split(" is kept in ")[1].split(": see ")[0]).read_bytes() == b"bad2"

        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        assert status(mount)["failing_uploads"] == 0
        assert mount.content("bad") == b"bad"
        assert mount.tags("bad") == {"k": "v"}
        gate.shut("*", how=how)
        (mount.path / "later").write_bytes(b"later")  # is trusted again
        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        assert mount.content("later") == b"later"
        umount(mount)
        recovered(mount)  # what was reported to have failed
        assert mount.content("bad2") == b"bad2"

    def test_a_file_that_fails_may_be_removed(self, mount: Mounted, gate: Gate) -> None:
        """Nothing fails any more once it is gone, so nobody has to wait."""
        gate.shut("bad", how=DENIED)
        (mount.path / "bad").write_bytes(b"bad")
        wait_for(lambda: status(mount)["failing_uploads"] == 1)
        (mount.path / "bad").unlink()
        assert status(mount) == {"held_files": 0, "held_bytes": 0, "failing_uploads": 0}
        gate.open()
        umount(mount)
        assert mount.keys() == []
        assert_nothing_left(mount)

    def test_a_file_that_fails_may_be_renamed(self, mount: Mounted, gate: Gate) -> None:
        gate.shut("bad", how=DENIED)
        (mount.path / "bad").write_bytes(b"bad")
        wait_for(lambda: status(mount)["failing_uploads"] == 1)
        (mount.path / "bad").rename(mount.path / "good")
        wait_for(lambda: all_is_uploaded(mount))
        assert mount.keys() == ["good"]
        assert mount.content("good") == b"bad"

    def test_who_must_wait_for_a_failing_file_gets_its_error(
        self, mount: Mounted, gate: Gate
    ) -> None:
        gate.shut("d/*", how=DENIED)
        (mount.path / "d").mkdir()
        sync_failed = failing(lambda: sync(mount.path / "d"))
        assert sync_failed == errno.EACCES
        assert failing((mount.path / "d").rmdir) == errno.EACCES
        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        gate.shut("d/f", how=DENIED)
        (mount.path / "d/f").write_bytes(b"first")
        wait_for(lambda: status(mount)["failing_uploads"] == 1)
        assert failing(lambda: sync(mount.path / "d/f")) == errno.EACCES
        assert failing(lambda: sync(mount.path / "d")) == errno.EACCES
        assert failing(lambda: (mount.path / "d/f").write_bytes(b"second")) == errno.EACCES
        assert failing(lambda: os.truncate(mount.path / "d/f", 1)) == errno.EACCES
        assert failing(lambda: (mount.path / "d").rename(mount.path / "e")) == errno.EACCES
        assert (mount.path / "d/f").read_bytes() == b"first"
        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        assert mount.keys() == ["d/", "d/f"]
        assert mount.content("d/f") == b"first"

    def test_a_crash_while_it_fails(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=DENIED)
        write(mount.path / "f", b"content", k="v")
        wait_for(lambda: status(mount)["failing_uploads"] == 1)
        (mount.path / "f").rename(mount.path / "g")
        os.setxattr(mount.path / "g", "user.tag.l", b"w")
        mount.kill()
        gate.open()
        recovered(mount)
        assert mount.keys() == ["g"]
        assert mount.content("g") == b"content"
        assert mount.tags("g") == {"k": "v", "l": "w"}
        assert_nothing_left(mount)

    @ALL
    def test_another_client_made_it_first(
        self, mount_with: MountFactory, gate: Gate, tmp_path: Path
    ) -> None:
        """O_EXCL: the other's object stays, and ours is kept for `tagfs recover`."""
        mount = mount_with(LOCAL)
        be_busy(mount, gate)
        fd = os.open(mount.path / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.write(fd, b"ours")
        os.close(fd)
        mount.judge.put("lock", b"them", {"by": "them"})
        gate.open()
        wait_for(lambda: all_is_uploaded(mount))
        assert mount.content("lock") == b"them"
        assert mount.tags("lock") == {"by": "them"}
        assert "/lock: not uploaded" in mount.log()
        assert (mount.path / "lock").read_bytes() == b"them"
        (mount.path / "later").write_bytes(b"later")  # nothing fails any more
        umount(mount)
        assert mount.content("later") == b"later"
        done = recover(mount)
        assert done.returncode == 1
        assert "O_EXCL" in done.stdout + done.stderr
        assert mount.content("lock") == b"them"
        recovered(mount, "--export", tmp_path / "out", "--discard")
        (data,) = [p for p in (tmp_path / "out").rglob("*") if p.is_file() and not p.suffix]
        assert data.read_bytes() == b"ours"


class TestTags:
    @ALL
    def test_an_overwritten_object_keeps_them(self, mount: Mounted, gate: Gate) -> None:
        """G4."""
        mount.judge.put("f", b"old", {"k": "v"})
        mount.judge.put("g", b"old", {"k": "v"})
        (mount.path / "f").write_bytes(b"new")
        be_busy(mount, gate)
        (mount.path / "g").write_bytes(b"new")
        os.setxattr(mount.path / "g", "user.tag.l", b"w")
        gate.open()
        sync(mount.path)
        assert mount.content("f") == mount.content("g") == b"new"
        assert mount.tags("f") == {"k": "v"}
        assert mount.tags("g") == {"k": "v", "l": "w"}

    @ALL
    def test_a_file_that_replaces_another_keeps_them(self, mount: Mounted, gate: Gate) -> None:
        """G5; a file with tags of its own has these."""
        for name in ("f", "g", "h"):
            mount.judge.put(name, b"old", {"k": name})
        be_busy(mount, gate)
        (mount.path / "new").write_bytes(b"new")
        (mount.path / "new").replace(mount.path / "f")
        write(mount.path / "new", b"new", own="1")
        (mount.path / "new").replace(mount.path / "g")
        (mount.path / "h").rename(mount.path / "h~")
        (mount.path / "h").write_bytes(b"new")
        (mount.path / "h~").unlink()
        gate.open()
        sync(mount.path)
        assert keys(mount) == ["f", "g", "h"]
        assert all(mount.content(name) == b"new" for name in ("f", "g", "h"))
        assert mount.tags("f") == {"k": "f"}
        assert mount.tags("g") == {"own": "1"}
        assert mount.tags("h") == {"k": "h"}


class TestTrees:
    @ALL
    def test_mv_of_a_directory_with_held_files(self, mount: Mounted, gate: Gate) -> None:
        gate.shut(how=SLOW)
        (mount.path / "d/e").mkdir(parents=True)
        for name in ("d/f", "d/e/g"):
            write(mount.path / name, name.encode(), k="v")
        (mount.path / "d").rename(mount.path / "t")
        assert mount.keys() == ["t/", "t/e/", "t/e/g", "t/f"]
        assert mount.content("t/e/g") == b"d/e/g"
        assert mount.tags("t/f") == {"k": "v"}
        assert sorted(os.listdir(mount.path / "t")) == ["e", "f"]
        (mount.path / "t/f").write_bytes(b"again")
        sync(mount.path)
        assert mount.keys() == ["t/", "t/e/", "t/e/g", "t/f"]
        assert mount.content("t/f") == b"again"

    def test_rm_r_of_a_tree_just_made(self, mount: Mounted) -> None:
        for number in range(5):
            (mount.path / f"t/{number}").mkdir(parents=True)
            for name in range(5):
                (mount.path / f"t/{number}/{name}").write_bytes(b"x")
        run("rm", "-r", mount.path / "t")
        assert os.listdir(mount.path) == []
        sync(mount.path)
        assert mount.keys() == []
        wait_for(lambda: not mount.staged())

    def test_a_git_repository(self, mount: Mounted, mount_with: MountFactory) -> None:
        top = mount.path / "r"
        git = ("git", "-C", top, "-c", "user.name=n", "-c", "user.email=e@x")
        run("git", "init", "-q", top)
        for number in range(10):
            (top / f"{number}").write_bytes(b"%d" % number * 100)
        run(*git, "add", ".")
        run(*git, "commit", "-qm", "first")
        (top / "3").write_bytes(b"changed")
        run(*git, "commit", "-qam", "second")
        assert run(*git, "status", "--porcelain") == ""
        umount(mount)
        again = mount_with().path / "r"
        there = ("git", "-C", again, "-c", f"safe.directory={again}")
        run(*there, "fsck", "--strict")
        assert run(*there, "status", "--porcelain") == ""
        assert run(*there, "log", "--format=%s").split() == ["second", "first"]
        assert not [name for name in mount.judge.keys("r/.git/") if name.endswith(".lock")]
