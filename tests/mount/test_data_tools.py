"""D4. Every write pattern works: real tools on a real mount, judged on the service by the SDK."""

import hashlib
import mmap
import os
import shutil
import sqlite3
import stat
import subprocess
import sysconfig
import tarfile
import tempfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import oss2
import pytest

from tests.mount.conftest import ALL, MountFactory
from tests.mounting import Mounted, run, wait_for

MANY = 300


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 300 files of the Python standard library, with their directories, modes and times."""
    source = Path(sysconfig.get_paths()["stdlib"])
    copy = tmp_path_factory.mktemp("library") / "lib"
    wanted = ("*.py", "*.txt", "*.cfg")
    every = sorted(p for w in wanted for p in source.rglob(w) if "site-packages" not in p.parts)
    for path in islice((p for p in every if p.is_file()), 0, None, max(1, len(every) // MANY)):
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (copy / "empty").touch()
    (copy / "link").symlink_to("empty")
    return copy


def files_of(tree: Path) -> list[Path]:
    return sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())


def assert_on_service(mount: Mounted, tree: Path, prefix: str) -> None:
    """Compare every file of a local tree with the object of the service."""
    names = [path.relative_to(tree) for path in files_of(tree)]
    with ThreadPoolExecutor(4) as pool:
        contents = pool.map(mount.content, (f"{prefix}/{name}" for name in names))
    for name, content in zip(names, contents, strict=True):
        assert content == (tree / name).read_bytes(), name


class TestTrees:
    def test_cp_r_and_tags(self, mount: Mounted, library: Path) -> None:
        run("cp", "-r", library, mount.path / "lib")
        run("diff", "-r", library, mount.path / "lib")
        assert_on_service(mount, library, "lib")
        names = [str(path.relative_to(library)) for path in files_of(library)]
        assert len(names) > MANY - 50
        for number, name in enumerate(names):
            run("setfattr", "-n", "user.tag.n", "-v", str(number), mount.path / "lib" / name)
        with ThreadPoolExecutor(4) as pool:
            tags = list(pool.map(mount.tags, (f"lib/{name}" for name in names)))
        assert tags == [{"n": str(number)} for number in range(len(names))]

    def test_tags_of_many_objects_are_read(self, mount: Mounted) -> None:
        def put(number: int) -> None:
            mount.sdk.put_object(f"d/{number}", b"", headers={"x-oss-tagging": f"n={number}"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, range(MANY)))
        shown = run("getfattr", "-R", "-d", mount.path / "d").split("\n\n")
        found = {
            block.splitlines()[0].rpartition("/")[2]: block.splitlines()[1] for block in shown[:-1]
        }
        assert found == {str(n): f'user.tag.n="{n}"' for n in range(MANY)}

    def test_rsync_moves_nothing_the_second_time(self, mount: Mounted, library: Path) -> None:
        """D8. ... and a second rsync copies nothing."""
        first = run("rsync", "-ai", f"{library}/", mount.path / "lib")
        assert first.count(">f") == len(files_of(library))
        assert_on_service(mount, library, "lib")
        assert run("rsync", "-ai", f"{library}/", mount.path / "lib") == ""
        mount.forget()
        assert run("rsync", "-ai", f"{library}/", mount.path / "lib") == ""
        assert run("rsync", "-ain", "--checksum", f"{mount.path}/lib/", library) == ""

    def test_rsync_inplace(self, mount: Mounted, library: Path, tmp_path: Path) -> None:
        run("rsync", "-a", "--inplace", f"{library}/", mount.path / "lib")
        changed = tmp_path / "changed"
        shutil.copytree(library, changed, symlinks=True)
        for path in files_of(changed)[::7]:
            path.write_bytes(path.read_bytes()[::-1] + b"more")
        args = ("--inplace", "--no-whole-file", "--ignore-times", "--delete")
        run("rsync", "-a", *args, f"{changed}/", mount.path / "lib")
        assert_on_service(mount, changed, "lib")

    def test_tar_and_unzip(self, mount: Mounted, library: Path, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "lib.tar", "w") as archive:
            archive.add(library, "lib")
        run("tar", "xpf", tmp_path / "lib.tar", cwd=mount.path)
        assert_on_service(mount, library, "lib")
        assert run("tar", "df", tmp_path / "lib.tar", cwd=mount.path) == ""
        with zipfile.ZipFile(tmp_path / "lib.zip", "w") as zipped:
            for path in files_of(library):
                zipped.write(path, path.relative_to(library))
        run("unzip", "-q", tmp_path / "lib.zip", "-d", mount.path / "zip")
        assert_on_service(mount, library, "zip")
        run("zip", "-qr", mount.path / "again.zip", ".", cwd=mount.path / "zip")
        (tmp_path / "again.zip").write_bytes(mount.content("again.zip"))
        run("unzip", "-tq", tmp_path / "again.zip")

    def test_git(self, mount: Mounted, library: Path, tmp_path: Path) -> None:
        origin = tmp_path / "origin"
        shutil.copytree(library, origin, symlinks=True)
        git = ("git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
        run(*git, "init", "-q", "-b", "main", cwd=origin)
        run(*git, "add", "-A", cwd=origin)
        run(*git, "commit", "-qm", "first", cwd=origin)
        run(*git, "clone", "-q", "--no-hardlinks", origin, mount.path / "clone")
        assert_on_service(mount, library, "clone")
        (mount.path / "clone/new").write_text("new")
        run(*git, "add", "new", cwd=mount.path / "clone")
        run(*git, "commit", "-qm", "second", cwd=mount.path / "clone")
        run(*git, "gc", "-q", cwd=mount.path / "clone")
        run(*git, "fsck", "--strict", cwd=mount.path / "clone")
        assert run(*git, "status", "--porcelain", cwd=mount.path / "clone") == ""
        run(*git, "pull", "-q", mount.path / "clone", "main", cwd=origin)
        assert (origin / "new").read_text() == "new"


class TestFiles:
    def test_cp_sparse(self, mount: Mounted, tmp_path: Path) -> None:
        sparse = tmp_path / "sparse"
        with sparse.open("wb") as file:
            for at in (0, 3_000_000, 9_999_999):
                file.seek(at)
                file.write(b"x")
        for how in ("always", "never", "auto"):
            run("cp", f"--sparse={how}", sparse, mount.path / how)
            assert mount.content(how) == sparse.read_bytes()
        run("cp", "--sparse=always", mount.path / "always", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == sparse.read_bytes()

    @ALL
    def test_dd_conv_notrunc(self, mount: Mounted) -> None:
        mount.judge.put("f", bytes(1_000_000))
        file = mount.path / "f"
        run(
            "dd",
            "if=/dev/urandom",
            f"of={file}",
            "bs=1000",
            "seek=500",
            "count=3",
            "conv=notrunc",
            "status=none",
        )
        content = mount.content("f")
        assert len(content) == 1_000_000
        assert not any(content[:500_000] + content[503_000:])
        assert any(content[500_000:503_000])

    @pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "memory"])
    def test_sqlite(self, mount: Mounted, tmp_path: Path, mode: str) -> None:
        with sqlite3.connect(mount.path / "db") as db:
            db.execute(f"pragma journal_mode={mode}")
            db.execute("create table t (n integer primary key, text)")
            db.executemany("insert into t values (?, ?)", [(n, "x" * n) for n in range(500)])
        with db:
            db.execute("delete from t where n % 2")
        db.execute("delete from t")
        db.rollback()
        db.execute("vacuum")
        db.close()
        (tmp_path / "db").write_bytes(mount.content("db"))
        copy = sqlite3.connect(tmp_path / "db")
        assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
        assert copy.execute("select count(*), sum(n) from t").fetchone() == (250, 62250)
        copy.close()

    @ALL
    def test_install_split_sed_and_shell(self, mount: Mounted, tmp_path: Path) -> None:
        text = "".join(f"line {number}\n" for number in range(20_000))
        (tmp_path / "text").write_text(text)
        run("install", "-m", "751", tmp_path / "text", mount.path / "tool")
        assert stat.S_IMODE((mount.path / "tool").stat().st_mode) == 0o751
        assert mount.judge.head("tool").meta["mode"] == str(0o100751)
        run("split", "-b", "50000", mount.path / "tool", mount.path / "part-")
        parts = mount.judge.keys("part-")
        assert b"".join(mount.content(key) for key in parts).decode() == text
        run("sed", "-i", "s/line/row/", mount.path / "tool")
        assert mount.content("tool").decode() == text.replace("line", "row")
        run("sh", "-c", "echo one > log; for n in 2 3 4; do echo $n >> log; done", cwd=mount.path)
        assert mount.content("log") == b"one\n2\n3\n4\n"
        run("sh", "-c", "(echo a; echo b >&2) > both 2>&1; sort -ru both -o both", cwd=mount.path)
        assert mount.content("both") == b"b\na\n"

    def test_vim(self, mount: Mounted) -> None:
        mount.sdk.put_object("f", b"old text\n")
        command = ("vim", "-es", "-c", "%s/old/new/", "-c", "wq", str(mount.path / "f"))
        subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
        assert mount.content("f") == b"new text\n"
        assert mount.keys() == ["f"]

    def test_temporary_files(self, mount: Mounted) -> None:
        """D4. ... read and write after unlink."""
        with tempfile.TemporaryFile(dir=mount.path) as file:
            file.write(b"x" * 100_000)
            file.seek(50_000)
            assert len(file.read()) == 50_000
            assert os.fstat(file.fileno()).st_size == 100_000
            os.fchmod(file.fileno(), 0o640)
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o640
        wait_for(lambda: mount.keys() == [])


class TestOpenFiles:
    def test_unlink_while_open(self, mount: Mounted) -> None:
        """D4. ... read and write after unlink."""
        mount.sdk.put_object("f", b"x" * 3_000_000, headers={"x-oss-tagging": "k=v"})
        with (
            (mount.path / "f").open("r+b", buffering=0) as file,
            (mount.path / "f").open("rb") as reader,
        ):
            file.read(10)
            (mount.path / "f").unlink()
            wait_for(lambda: mount.keys() == [])
            assert os.pread(file.fileno(), 4, 2_999_996) == b"xxxx"
            os.pwrite(file.fileno(), b"yy", 2_000_000)
            (mount.path / "f").write_bytes(b"another")
            assert os.fstat(file.fileno()).st_size == 3_000_000
            assert reader.read()[1_999_999:2_000_003] == b"xyyx"
        assert mount.content("f") == b"another"
        assert mount.tags("f") == {}
        assert mount.keys() == ["f"]

    @ALL
    def test_rename_while_open(self, mount: Mounted) -> None:
        mount.judge.put("d/f", b"old", {"k": "v"})
        with (mount.path / "d/f").open("r+b", buffering=0) as file:
            file.write(b"new")
            (mount.path / "d").rename(mount.path / "e")
            file.write(b"er")
            (mount.path / "e/f").rename(mount.path / "e/g")
            file.write(b"!")
        assert mount.keys() == ["e/g"]
        assert mount.content("e/g") == b"newer!"
        assert mount.tags("e/g") == {"k": "v"}

    def test_replaced_while_open(self, mount: Mounted) -> None:
        mount.sdk.put_object("f", b"old" * 100_000, headers={"x-oss-tagging": "k=v"})
        with (mount.path / "f").open("rb", buffering=0) as file:
            (mount.path / "g").write_bytes(b"new")
            (mount.path / "g").replace(mount.path / "f")
            assert len(file.readall()) == 300_000
        assert mount.content("f") == b"new"
        assert mount.tags("f") == {"k": "v"}

    def test_two_handles_see_one_file(self, mount: Mounted) -> None:
        mount.sdk.put_object("f", b"0" * 20)
        with (
            (mount.path / "f").open("r+b", buffering=0) as one,
            (mount.path / "f").open("r+b", buffering=0) as two,
        ):
            os.pwrite(one.fileno(), b"11", 3)
            assert os.pread(two.fileno(), 6, 0) == b"000110"
            os.ftruncate(two.fileno(), 4)
            assert os.pread(one.fileno(), 20, 0) == b"0001"
            with (mount.path / "f").open("ab", buffering=0) as more:
                more.write(b"a")
                os.pwrite(one.fileno(), b"b", 8)
                more.write(b"c")
        assert mount.content("f") == b"0001a\0\0\0bc"

    def test_shared_mapping(self, mount: Mounted) -> None:
        mount.sdk.put_object("f", b"0" * 10_000, headers={"x-oss-tagging": "k=v"})
        fd = os.open(mount.path / "f", os.O_RDWR)
        with mmap.mmap(fd, 10_000) as mapped:
            os.close(fd)  # the mapping alone keeps it open
            mapped[5000:5004] = b"1234"
            assert (mount.path / "f").read_bytes()[4999:5005] == b"012340"
        wanted = b"0" * 5000 + b"1234" + b"0" * 4996
        end = threading.Event()
        while mount.content("f") != wanted:  # it is uploaded when the kernel lets go of the file
            assert not end.wait(0.05)
        assert mount.tags("f") == {"k": "v"}

    def test_appending_through_a_mapping_stays_in_place(self, mount: Mounted) -> None:
        mount.sdk.put_object("f", b"0" * 5000)
        fd = os.open(mount.path / "f", os.O_RDWR | os.O_APPEND)
        with mmap.mmap(fd, 5000) as mapped:
            mapped[0:1] = b"1"
            mapped.flush()
        os.write(fd, b"end")
        os.close(fd)
        assert mount.content("f") == b"1" + b"0" * 4999 + b"end"

    def test_five_writers(self, mount_with: MountFactory) -> None:
        """Concurrent writers of different files and of one file, large and small."""
        mount = mount_with("part_size=100K")
        blocks = {number: os.urandom(40_000) for number in range(5)}

        def write(number: int) -> None:
            with (mount.path / f"own-{number}").open("wb") as own:
                for _ in range(20):
                    own.write(blocks[number])
            fd = os.open(mount.path / "shared", os.O_CREAT | os.O_WRONLY)
            for turn in range(20):
                os.pwrite(fd, blocks[number], (turn * 5 + number) * 40_000)
            os.close(fd)
            with (mount.path / "log").open("ab", buffering=0) as log:
                for _ in range(50):
                    log.write(b"%d" % number * 10 + b"\n")

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(write, range(5)))
        for number, block in blocks.items():
            assert mount.content(f"own-{number}") == block * 20
        assert digest(mount.content("shared")) == digest(b"".join(blocks.values()) * 20)
        lines = mount.content("log").splitlines()
        assert sorted(lines) == sorted(b"%d" % n * 10 for n in range(5) for _ in range(50))
        assert list(oss2.MultipartUploadIterator(mount.sdk)) == []


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
