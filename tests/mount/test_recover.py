"""D5, D7: after a crash nothing that was promised is missing, and `tagfs recover` finishes it."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import oss2
import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.mount.conftest import MountFactory
from tests.mounting import KEYS, Mounted
from tests.waiting import FAR, wait_for

EVERYWHERE = pytest.mark.services("oss", "obs", "s3")
PART = 100 * 1024
LARGE = bytes(os.urandom(1024) * 1024)  # ten parts and a bit
S3_PART = 5 * 1024**2  # S3 takes no smaller ones
S3_LARGE = LARGE * 12


class Faults:
    """What goes wrong on the service, as long as a test wants it to."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/-/faults"

    def set(self, *specifications: str) -> None:
        self._ask("POST", json.dumps(specifications).encode())

    def clear(self) -> None:
        self._ask("DELETE")

    def hits(self) -> int:
        return sum(fault["hits"] for fault in self._ask("GET"))

    def _ask(self, method: str, data: bytes | None = None) -> Any:
        with urlopen(Request(self._url, data=data, method=method)) as answer:
            return json.load(answer)


@pytest.fixture
def faults(service: Emulator) -> Iterator[Faults]:
    board = Faults(service.url)
    yield board
    board.clear()


@pytest.fixture
def small_parts(mount_with: MountFactory, kind: str) -> Mounted:
    return mount_with(f"part_size={S3_PART if kind == 's3' else PART}")


@pytest.fixture
def large(kind: str) -> bytes:
    """Content of several parts."""
    return S3_LARGE if kind == "s3" else LARGE


def recover(mount: Mounted, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = zygote.run("recover", mount.cache_dir, *arguments, env=KEYS)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def recovered(mount: Mounted, *arguments: str | Path) -> str:
    done = recover(mount, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def staging(mount: Mounted) -> list[str]:
    base = mount.cache_dir / "staging"
    return sorted(str(path.relative_to(base)) for path in base.rglob("*"))


def left(mount: Mounted) -> Path:
    """The one directory that a crash left."""
    (directory,) = (mount.cache_dir / "staging").iterdir()
    return directory


def is_closing(mount: Mounted) -> bool:
    notes = left(mount).glob("*[!t].json")
    with suppress(FileNotFoundError):  # it is being replaced
        return any('"closing"' in note.read_text() for note in notes)
    return False


def crash_during(
    mount: Mounted,
    faults: Faults,
    fault: str,
    act: Callable[[], object],
    *,
    until: Callable[[], bool] = lambda: True,
) -> None:
    """Kill the mount while the service sits on a request of `act`."""
    faults.set(f"{fault}:bucket={mount.bucket}")
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: faults.hits() > 0 and until())
    mount.kill()
    thread.join(FAR)
    assert not thread.is_alive()
    assert failures, "nobody was told that this had succeeded"
    faults.clear()


def uploads(mount: Mounted) -> list[str]:
    """Return the keys of uploads under way."""
    return mount.judge.uploads()


def assert_nothing_left(mount: Mounted) -> None:
    assert staging(mount) == []
    assert uploads(mount) == []
    assert "nothing to recover" in recovered(mount)


class Writing:
    """A file open for writing, whose close is what crashes."""

    def __init__(self, path: Path, flags: int = os.O_CREAT | os.O_TRUNC) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | flags)

    def write(self, data: bytes, at: int = 0) -> "Writing":
        while data:
            done = os.pwrite(self.fd, data, at)
            data, at = data[done:], at + done
        return self

    def tag(self, **tags: str) -> "Writing":
        for key, value in tags.items():
            os.setxattr(self.path, f"user.tag.{key}", value.encode())
        return self

    def close(self) -> None:
        os.close(self.fd)


class TestFsync:
    def test_what_was_fsynced_is_on_the_service(self, mount: Mounted, tmp_path: Path) -> None:
        file = Writing(mount.path / "f").write(b"safe")
        os.fsync(file.fd)
        file.write(b" and never promised", 4)
        mount.kill()
        with pytest.raises(OSError):
            os.close(file.fd)
        assert mount.content("f") == b"safe"

        listed = recovered(mount, "--list")
        assert listed.startswith("unfinished")
        assert listed.count("\n") == 2
        done = recover(mount)
        assert done.returncode == 1
        assert "unfinished" in done.stderr
        assert mount.content("f") == b"safe"

        assert "exported" in recovered(mount, "--export", tmp_path / "out", "--discard")
        (data,) = [p for p in (tmp_path / "out").rglob("*") if p.is_file() and not p.suffix]
        assert data.read_bytes() == b"safe and never promised"
        assert_nothing_left(mount)

    def test_nothing_is_missing_of_a_file_that_was_only_still_open(self, mount: Mounted) -> None:
        file = Writing(mount.path / "f").write(b"safe")
        os.fsync(file.fd)
        mount.kill()
        with pytest.raises(OSError):
            os.close(file.fd)
        assert "nothing to recover" in recovered(mount, "--list")
        assert_nothing_left(mount)
        assert mount.content("f") == b"safe"


class TestClose:
    @EVERYWHERE
    def test_a_new_small_file(self, mount: Mounted, faults: Faults) -> None:
        file = Writing(mount.path / "d é.txt").write(b"content").tag(team="blue", k="")
        mount_path = mount.path / "d é.txt"
        mount_path.chmod(0o640)
        os.utime(mount_path, ns=(10**18, 10**18 + 7))
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        assert mount.keys() == []

        listed = recovered(mount, "--list")
        assert listed.startswith("staged")
        assert f"{mount.kind}://{mount.bucket}/d é.txt  (needs nothing else)" in listed
        assert "7 bytes" in listed
        assert mount.keys() == []
        assert "recovered: " in recovered(mount)
        assert mount.content("d é.txt") == b"content"
        assert mount.tags("d é.txt") == {"team": "blue", "k": ""}
        meta = mount.judge.head("d é.txt").meta
        assert meta["mode"] == str(0o100640)
        assert meta["mtime"] == "1000000000.000000007"
        assert_nothing_left(mount)

    @EVERYWHERE
    def test_the_crash_came_after_the_upload(self, mount: Mounted, faults: Faults) -> None:
        file = Writing(mount.path / "f").write(b"content").tag(k="v")
        crash_during(mount, faults, "hang:op=PutObject:when=after", file.close)
        before = mount.judge.head("f")
        faults.set(f"deny:op=PutObject:bucket={mount.bucket}")
        assert "was uploaded already" in recovered(mount)
        assert mount.judge.head("f").modified == before.modified
        assert mount.tags("f") == {"k": "v"}
        assert_nothing_left(mount)

    @EVERYWHERE
    def test_an_overwritten_object_keeps_its_tags(self, mount: Mounted, faults: Faults) -> None:
        mount.judge.put("f", b"old", {"team": "blue"})
        file = Writing(mount.path / "f").write(b"new and longer")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        assert mount.content("f") == b"old"
        recovered(mount)
        assert mount.content("f") == b"new and longer"
        assert mount.tags("f") == {"team": "blue"}
        assert_nothing_left(mount)

    def test_a_small_edit_takes_the_rest_from_the_base(
        self, mount: Mounted, faults: Faults
    ) -> None:
        mount.sdk.put_object("f", b"0123456789" * 100, headers={"x-oss-tagging": "k=v"})
        file = Writing(mount.path / "f", 0).write(b"XY", 500)
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        assert "needs 998 bytes of version" in recovered(mount, "--list")
        recovered(mount)
        assert mount.content("f") == b"0123456789" * 50 + b"XY23456789" + b"0123456789" * 49
        assert mount.tags("f") == {"k": "v"}
        assert_nothing_left(mount)

    def test_an_append_is_one(self, mount: Mounted, faults: Faults) -> None:
        mount.sdk.append_object("log", 0, b"one\n", headers={"x-oss-tagging": "k=v"})
        file = Writing(mount.path / "log", os.O_APPEND).write(b"two\n", 4)
        crash_during(mount, faults, "hang:op=AppendObject", file.close)
        recovered(mount)
        assert mount.content("log") == b"one\ntwo\n"
        assert mount.sdk.head_object("log").headers["x-oss-object-type"] == "Appendable"
        assert mount.tags("log") == {"k": "v"}
        assert_nothing_left(mount)

    def test_a_failed_upload_waits_beside_a_running_mount(
        self, mount_with: MountFactory, faults: Faults
    ) -> None:
        mount = mount_with("timeout=1")
        file = Writing(mount.path / "f").write(b"content").tag(k="v")
        faults.set(f"status=403:code=AccessDenied:op=PutObject:bucket={mount.bucket}")
        with pytest.raises(OSError):
            file.close()
        open_one = Writing(mount.path / "g").write(b"still open")
        with pytest.raises(OSError):
            os.fsync(open_one.fd)
        faults.clear()
        assert "/g" not in recovered(mount), "it is the mount's as long as it is open"
        assert mount.keys() == ["f"]
        assert mount.content("f") == b"content"
        assert mount.tags("f") == {"k": "v"}
        open_one.close()
        assert mount.content("g") == b"still open"


class TestMultipart:
    @pytest.mark.parametrize(
        "fault",
        [
            "hang:op=UploadPart:after=4",
            "hang:op=CompleteMultipartUpload",
            "hang:op=CompleteMultipartUpload:when=after",
        ],
    )
    def test_a_new_large_file(self, small_parts: Mounted, faults: Faults, fault: str) -> None:
        mount = small_parts
        file = Writing(mount.path / "f")

        def act() -> None:
            file.write(LARGE).tag(team="blue")
            (mount.path / "f").chmod(0o600)
            file.close()

        crash_during(mount, faults, fault, act, until=lambda: is_closing(mount))
        assert recovered(mount, "--list").startswith("staged")
        log = mount.requests()
        recovered(mount)
        assert log.kinds()["PUT partNumber"] < len(LARGE) // PART
        assert mount.content("f") == LARGE
        assert mount.tags("f") == {"team": "blue"}
        assert mount.judge.head("f").meta["mode"] == str(0o100600)
        assert_nothing_left(mount)

    def test_a_file_that_was_still_being_written(
        self, small_parts: Mounted, tmp_path: Path
    ) -> None:
        mount = small_parts
        file = Writing(mount.path / "f").write(LARGE)
        wait_for(lambda: uploads(mount))
        mount.kill()
        with pytest.raises(OSError):
            os.close(file.fd)
        assert f"oss://{mount.bucket}/f" in recovered(mount, "--list")
        assert recover(mount).returncode == 1
        assert mount.keys() == []
        recovered(mount, "--export", tmp_path / "out", "--discard")
        assert mount.keys() == []
        assert_nothing_left(mount)

    @EVERYWHERE
    @pytest.mark.parametrize(
        "fault",
        [
            "hang:op=UploadPartCopy",
            "hang:op=UploadPart",
            "hang:op=CompleteMultipartUpload",
            "hang:op=CompleteMultipartUpload:when=after",
        ],
    )
    def test_a_part_of_a_large_object(
        self, small_parts: Mounted, faults: Faults, large: bytes, fault: str
    ) -> None:
        mount = small_parts
        mount.judge.put("f", large, {"team": "blue"})
        file = Writing(mount.path / "f", 0).write(b"changed", 500_000)
        crash_during(mount, faults, fault, file.close)
        out = recovered(mount)
        assert ("was uploaded already" in out) == fault.endswith("after")
        assert mount.content("f") == large[:500_000] + b"changed" + large[500_007:]
        assert mount.tags("f") == {"team": "blue"}
        assert_nothing_left(mount)

    def test_recover_is_killed_and_run_again(self, small_parts: Mounted, faults: Faults) -> None:
        mount = small_parts
        mount.sdk.put_object("f", b"old", headers={"x-oss-tagging": "team=blue"})
        file = Writing(mount.path / "f").write(LARGE)
        crash_during(mount, faults, "hang:op=CompleteMultipartUpload", file.close)
        for upload in oss2.MultipartUploadIterator(mount.sdk):
            # As a lifecycle rule does: it has to begin anew.
            mount.sdk.abort_multipart_upload("f", upload.upload_id)
        for fault in (
            "hang:op=InitiateMultipartUpload",
            "hang:op=UploadPart:after=5",
            "hang:op=CompleteMultipartUpload",
            "hang:op=CompleteMultipartUpload:when=after",
        ):
            faults.set(f"{fault}:bucket={mount.bucket}")
            process = zygote.begin("recover", mount.cache_dir, env=KEYS)
            wait_for(lambda: faults.hits() > 0)
            process.kill()
            process.wait(FAR)
            faults.clear()
            assert mount.content("f") in (b"old", LARGE)
        assert mount.content("f") == LARGE
        assert "was uploaded already" in recovered(mount)
        assert mount.content("f") == LARGE
        assert mount.tags("f") == {"team": "blue"}
        assert_nothing_left(mount)


@pytest.fixture
def tree(mount: Mounted) -> Mounted:
    """A directory with twenty tagged files, a link and a directory in it."""
    for number in range(20):
        tags, meta = {"number": str(number)}, {"color": "blau"}
        mount.judge.put(f"old/f{number:02}", b"x" * number, tags, meta)
    (mount.path / "old/link").symlink_to("f01")
    (mount.path / "old/empty").mkdir()
    return mount


def names(mount: Mounted, prefix: str) -> set[str]:
    found = mount.keys()
    return {key.removeprefix(prefix) for key in found if key.startswith(prefix)}


ALL = {f"f{number:02}" for number in range(20)} | {"link", "empty/"}


class TestDirectoryRename:
    @EVERYWHERE
    def test_while_copies_are_made_it_is_taken_back(self, tree: Mounted, faults: Faults) -> None:
        crash_during(
            tree,
            faults,
            "hang:op=CopyObject:key=new/f1*",
            lambda: (tree.path / "old").rename(tree.path / "new"),
            until=lambda: {"f01", "f02"} <= names(tree, "new/"),  # copied in any order
        )
        assert names(tree, "new/") - {""}
        tree.judge.put("new/somebody's", b"not a copy")
        assert "rename of" in recovered(tree, "--list")
        assert "taken back" in recovered(tree)
        assert names(tree, "old/") - {""} == ALL
        assert names(tree, "new/") == {"somebody's"}
        for number in range(20):
            assert tree.tags(f"old/f{number:02}") == {"number": str(number)}
        assert_nothing_left(tree)

    def test_a_copy_that_another_client_changed_stays(self, tree: Mounted, faults: Faults) -> None:
        crash_during(
            tree,
            faults,
            "hang:op=CopyObject:key=new/f1*",
            lambda: (tree.path / "old").rename(tree.path / "new"),
            until=lambda: {"f01", "f02"} <= names(tree, "new/"),  # copied in any order
        )
        tree.sdk.put_object("new/f01", b"edited since")
        rule = oss2.models.TaggingRule()
        rule.add("number", "retagged")
        tree.sdk.put_object_tagging("new/f02", oss2.models.Tagging(rule))
        done = recover(tree)
        assert done.returncode == 1
        assert "new/f01" in done.stderr
        assert "new/f02" in done.stderr
        assert names(tree, "new/") == {"f01", "f02"}
        assert tree.content("new/f01") == b"edited since"
        assert names(tree, "old/") - {""} == ALL
        assert_nothing_left(tree)

    @EVERYWHERE
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_while_originals_are_deleted_it_is_finished(
        self, tree: Mounted, faults: Faults, when: str
    ) -> None:
        crash_during(
            tree,
            faults,
            f"hang:op=DeleteMultipleObjects:when={when}",
            lambda: (tree.path / "old").rename(tree.path / "new"),
        )
        assert "finished" in recovered(tree)
        assert names(tree, "old/") == set()
        assert names(tree, "new/") - {""} == ALL
        for number in range(20):
            assert tree.tags(f"new/f{number:02}") == {"number": str(number)}
            assert tree.content(f"new/f{number:02}") == b"x" * number
        if tree.has("symlinks"):
            assert tree.judge.get_symlink("new/link") == "new/f01"
        else:
            assert tree.content("new/link") == b"f01"
        assert_nothing_left(tree)

    def test_an_original_that_is_all_there_is_stays(self, tree: Mounted, faults: Faults) -> None:
        crash_during(
            tree,
            faults,
            "hang:op=DeleteMultipleObjects",
            lambda: (tree.path / "old").rename(tree.path / "new"),
        )
        tree.sdk.delete_object("new/f03")
        tree.sdk.put_object("new/f04", b"edited since")
        done = recover(tree)
        assert done.returncode == 1
        assert names(tree, "old/") == {"f03", "f04"}
        assert tree.content("new/f04") == b"edited since"
        assert tree.tags("old/f04") == {"number": "4"}
        assert_nothing_left(tree)


class TestConflict:
    @pytest.fixture
    def conflict(self, mount: Mounted, faults: Faults) -> Mounted:
        mount.sdk.put_object("f", b"base", headers={"x-oss-tagging": "whose=base"})
        file = Writing(mount.path / "f").write(b"ours")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        mount.sdk.put_object("f", b"theirs", headers={"x-oss-tagging": "whose=theirs"})
        return mount

    def test_what_another_wrote_is_not_overwritten(self, conflict: Mounted) -> None:
        for _ in range(2):
            done = recover(conflict)
            assert done.returncode == 1
            assert "conflict" in done.stderr
            assert "replaced meanwhile" in done.stderr
            assert conflict.content("f") == b"theirs"
            assert conflict.tags("f") == {"whose": "theirs"}

    def test_it_can_be_copied_out(self, conflict: Mounted, tmp_path: Path) -> None:
        recovered(conflict, "--export", tmp_path / "out")
        assert (tmp_path / "out/f").read_bytes() == b"ours"
        explained = json.loads((tmp_path / "out/f.tagfs.json").read_text())
        assert explained["key"] == "f"
        assert explained["missing"] == []
        assert explained["metadata"]["mode"]
        assert recover(conflict).returncode == 1, "an export alone deletes nothing"
        recovered(conflict, "--export", tmp_path / "out", "--discard")
        assert len([p for p in (tmp_path / "out").iterdir() if p.read_bytes() == b"ours"]) == 2
        assert_nothing_left(conflict)
        assert conflict.content("f") == b"theirs"

    def test_it_can_be_forced(self, conflict: Mounted) -> None:
        recovered(conflict, "--force")
        assert conflict.content("f") == b"ours"
        assert conflict.tags("f") == {"whose": "theirs"}
        assert_nothing_left(conflict)

    def test_a_deleted_object_does_not_come_back(self, conflict: Mounted) -> None:
        conflict.sdk.delete_object("f")
        done = recover(conflict)
        assert done.returncode == 1
        assert "deleted meanwhile" in done.stderr
        assert conflict.keys() == []

    def test_exclusive_files_are_never_forced(self, mount: Mounted, faults: Faults) -> None:
        file = Writing(mount.path / "lock", os.O_CREAT | os.O_EXCL).write(b"ours")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        mount.sdk.put_object("lock", b"theirs")
        for arguments in ((), ("--force",)):
            assert recover(mount, *arguments).returncode == 1
            assert mount.content("lock") == b"theirs"

    def test_bytes_of_a_version_that_is_gone(
        self, mount: Mounted, faults: Faults, tmp_path: Path
    ) -> None:
        mount.sdk.put_object("f", b"0123456789")
        file = Writing(mount.path / "f", 0).write(b"XY", 4)
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        mount.sdk.put_object("f", b"another")
        for arguments in ((), ("--force",)):
            done = recover(mount, *arguments)
            assert done.returncode == 1
            assert "8 unchanged bytes were only there" in done.stderr
            assert mount.content("f") == b"another"
        done = recover(mount, "--export", tmp_path / "out")
        assert done.returncode == 1
        assert (tmp_path / "out/f").read_bytes() == b"\0\0\0\0XY\0\0\0\0"
        explained = json.loads((tmp_path / "out/f.tagfs.json").read_text())
        assert explained["missing"] == [[0, 4], [6, 10]]

    def test_an_export_completes_itself_from_the_base(
        self, mount: Mounted, faults: Faults, tmp_path: Path
    ) -> None:
        mount.sdk.put_object("f", b"0123456789")
        file = Writing(mount.path / "f", 0).write(b"XY", 4)
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        recovered(mount, "--export", tmp_path / "out")
        assert (tmp_path / "out/f").read_bytes() == b"0123XY6789"


@contextmanager
def tampered(path: Path) -> Iterator[dict[str, Any]]:
    note = json.loads(path.read_text())
    yield note
    path.write_text(json.dumps(note))


WRONG: list[tuple[str, object]] = [
    ("key", "../up"),
    ("key", "d/"),
    ("key", ""),
    ("key", 7),
    ("size", -1),
    ("size", 10**30),
    ("written", [[0, 2], [1, 4]]),
    ("written", [[0, 10]]),
    ("written", "all"),
    ("base_size", 3),
    ("tags", ["k"]),
    ("metadata", {"a": 1}),
    ("phase", "odd"),
    ("version", 99),
    ("surprise", True),
]
GARBLED = ["", "{", "[]", "null", "[" * 100_000, "\xff\xfe", "1e999"]


class TestHostile:
    @pytest.fixture
    def crashed(self, mount: Mounted, faults: Faults) -> Mounted:
        file = Writing(mount.path / "f").write(b"ours")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        return mount

    def test_notes_that_are_none(self, crashed: Mounted) -> None:
        """Each of these beside content of its own: a line for each, and nothing is uploaded."""
        directory = left(crashed)
        (note,) = directory.glob("*[!t].json")
        content = note.with_suffix(".data").read_bytes()
        good = json.loads(note.read_text())
        texts = [json.dumps({**good, field: value}) for field, value in WRONG]
        note.unlink()
        note.with_suffix(".data").unlink()
        for number, text in enumerate([*texts, *GARBLED]):
            path = directory / f"{number:024x}.json"
            path.write_bytes(text.encode("latin-1"))
            path.with_suffix(".data").write_bytes(content)
            path.with_suffix(".data").chmod(0o600)
        self.assert_left_alone(crashed, "left alone")
        done = recover(crashed)
        assert done.stderr.count("left alone") == len(WRONG) + len(GARBLED)

    def test_a_link_in_place_of_the_content(self, crashed: Mounted, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("ours")
        (data,) = left(crashed).glob("*.data")
        data.unlink()
        data.symlink_to(tmp_path / "secret")
        self.assert_left_alone(crashed, "symbolic link")
        assert (tmp_path / "secret").read_text() == "ours"

    def test_a_link_in_place_of_the_note(self, crashed: Mounted, tmp_path: Path) -> None:
        (note,) = left(crashed).glob("*[!t].json")
        note.rename(tmp_path / "elsewhere")
        note.symlink_to(tmp_path / "elsewhere")
        self.assert_left_alone(crashed, "symbolic link")

    def test_a_link_in_place_of_the_directory(self, crashed: Mounted, tmp_path: Path) -> None:
        directory = left(crashed)
        directory.rename(tmp_path / "elsewhere")
        directory.symlink_to(tmp_path / "elsewhere")
        self.assert_left_alone(crashed, "symbolic link")

    def test_content_that_was_cut(self, crashed: Mounted) -> None:
        (data,) = left(crashed).glob("*.data")
        os.truncate(data, 2)
        self.assert_left_alone(crashed, "only 2 of the bytes")

    def test_a_directory_open_to_others(self, crashed: Mounted) -> None:
        left(crashed).chmod(0o755)
        self.assert_left_alone(crashed, "0755")

    def test_a_record_that_is_none(self, crashed: Mounted) -> None:
        (left(crashed) / "mount.json").write_text('{"version": 1}')
        self.assert_left_alone(crashed, "mount.json is damaged")

    def test_a_key_beside_the_mounted_prefix(
        self, mount_with: MountFactory, faults: Faults
    ) -> None:
        mount = mount_with(prefix="p")
        file = Writing(mount.path / "f").write(b"ours")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        (note,) = left(mount).glob("*[!t].json")
        with tampered(note) as fields:
            assert fields["key"] == "p/f"
            fields["key"] = "q/f"
        self.assert_left_alone(mount, "not below the mounted prefix")

    def assert_left_alone(self, mount: Mounted, reason: str) -> None:
        before = staging(mount)
        recover(mount, "--list")
        done = recover(mount, "--force")
        assert reason in done.stderr
        assert done.returncode == 1
        assert mount.keys() == []
        assert staging(mount) == before


class TestNames:
    def test_a_failed_file_is_recovered_under_its_new_name(
        self, mount_with: MountFactory, faults: Faults
    ) -> None:
        mount = mount_with("timeout=1")
        file = Writing(mount.path / "before").write(b"content").tag(k="v")
        faults.set(f"status=403:code=AccessDenied:op=PutObject:bucket={mount.bucket}")
        with pytest.raises(OSError):
            os.fsync(file.fd)
        (mount.path / "before").rename(mount.path / "after")
        mount.kill()
        with pytest.raises(OSError):
            os.close(file.fd)
        faults.clear()
        recovered(mount)
        assert mount.keys() == ["after"]
        assert mount.tags("after") == {"k": "v"}
        assert_nothing_left(mount)

    def test_a_deleted_file_does_not_come_back(
        self, mount_with: MountFactory, faults: Faults
    ) -> None:
        mount = mount_with("timeout=1")
        file = Writing(mount.path / "f").write(b"content")
        faults.set(f"status=403:code=AccessDenied:op=PutObject:bucket={mount.bucket}")
        with pytest.raises(OSError):
            os.fsync(file.fd)
        (mount.path / "f").unlink()
        mount.kill()
        with pytest.raises(OSError):
            os.close(file.fd)
        faults.clear()
        recovered(mount)
        assert mount.keys() == []
        assert_nothing_left(mount)

    def test_of_two_files_for_one_key_the_later_wins(
        self, mount_with: MountFactory, faults: Faults, tmp_path: Path
    ) -> None:
        mount = mount_with("timeout=1")
        faults.set(f"status=403:code=AccessDenied:op=PutObject:bucket={mount.bucket}")
        for content in (b"first", b"second"):
            with pytest.raises(PermissionError):
                (mount.path / "f").write_bytes(content)
            mount.forget_in_kernel()  # or it believes that the first one is there
        mount.kill()
        faults.clear()
        assert recover(mount).returncode == 1
        assert mount.content("f") == b"second"
        recovered(mount, "--export", tmp_path / "out", "--discard")
        assert (tmp_path / "out/f").read_bytes() == b"first"
        assert_nothing_left(mount)


class TestAtTheStart:
    def test_a_mount_says_that_something_waits(
        self, mount_with: MountFactory, service: Emulator, faults: Faults
    ) -> None:
        mount = mount_with()
        file = Writing(mount.path / "f").write(b"ours")
        crash_during(mount, faults, "hang:op=PutObject", file.close)
        again = mount_with(f"cache_dir={mount.cache_dir}")
        reported = f"an earlier mount of '{mount.bucket}' left 1 file: run `tagfs recover"
        assert reported in again.log()
        other = mount_with(f"cache_dir={mount.cache_dir}", on=service.take())
        assert "tagfs recover" not in other.log()
        recovered(mount)
        assert mount.content("f") == b"ours"
        assert (again.path / "f").read_bytes() == b"ours"
