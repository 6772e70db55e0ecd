"""Write-behind: what was closed is seen at once, uploaded once, and lost by nothing."""

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagfs.errors import (
    AccessDenied,
    NoSuchBucket,
    NotEmpty,
    NotFound,
    Refused,
    TagfsError,
    Unreachable,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.openfiles import write_back
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, Source
from tagfs.store.tags import TagSet
from tests.examples import rounds
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write
from tests.waiting import until_blocked, wait_for

TEMPORARY = "/.f.Ab12xY"


class Bucket(MemoryBucket):
    """Notes every object that is put, and holds puts back or refuses them on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []
        self.begun: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.failure: TagfsError | None = None

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        self.begun.append(key)
        assert self.open.wait(60)
        if self.failure is not None:
            raise self.failure
        made = super().put(key, source, new)
        self.puts.append(key)
        return made

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Let no put come to an end."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(bucket: Bucket, tmp_path: Path, clock: FakeClock) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path, clock, uploads_behind=4) as filesystem:
        yield filesystem
        bucket.open.set()
        bucket.failure = None


def put(bucket: Bucket, key: str, data: bytes, **tags: str) -> None:
    MemoryBucket.put(bucket, key, BytesSource(data), NewObject(tags=TagSet(tags)))


def read(tree: FileSystem, path: str) -> bytes:
    fh, _ = tree.open(path, os.O_RDONLY)
    try:
        return bytes(tree.read(fh, 0, 1000))
    finally:
        tree.release(fh)


def names(tree: FileSystem, path: str) -> dict[str, int]:
    fh = tree.opendir(path)
    found = {name: kind for name, kind, _ in tree.readdir(fh) if name not in (".", "..")}
    tree.releasedir(fh)
    return found


def meanwhile(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(tree: FileSystem, condition: Callable[[], object]) -> None:
    """Let time pass until something holds."""
    clock = tree._env.clock
    assert isinstance(clock, FakeClock)

    def holds() -> object:
        clock.advance(0.5)
        return condition()

    wait_for(holds)


def until_settled(tree: FileSystem) -> None:
    until(tree, lambda: not tree.state()["held_files"])


def _lose(wanted: str) -> Callable[[str, str], None]:
    def lose(operation: str, _key: str) -> None:
        if operation == wanted:
            raise Unreachable("no answer")

    return lose


def notes(staging: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in sorted(staging.glob("*.json"))]


# What is seen, and what it costs


def test_a_close_is_answered_before_the_upload(tree: FileSystem, bucket: Bucket) -> None:
    with bucket.slow():
        write(tree, "/f", b"one")
        assert read(tree, "/f") == b"one"
        assert tree.getattr("/f")["st_size"] == 3
        assert names(tree, "/") == {"f": stat.S_IFREG}
        assert tree.state()["held_files"] == 1
        assert tree.state()["held_bytes"] == 3
    until_settled(tree)
    assert bucket.get("f").data == b"one"
    assert (tree.state()["open_files"], bucket.puts) == (0, ["f"])


def test_by_default_close_waits(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path) as tree:
        write(tree, "/f")
        tree.mkdir("/d", 0o755)
        assert bucket.puts == ["f", "d/"]


def test_what_is_set_after_the_close_goes_along(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, TEMPORARY)
    tree.chmod(TEMPORARY, 0o751)
    tree.utimens(TEMPORARY, None, 5)
    tree.setxattr(TEMPORARY, "user.tag.team", b"blue", 0)
    tree.setxattr(TEMPORARY, "user.meta.note", b"n", 0)
    tree.rename(TEMPORARY, "/f")
    until_settled(tree)
    assert bucket.puts == ["f"]
    assert tree.getattr("/f")["st_mode"] & 0o7777 == 0o751
    assert tree.getattr("/f")["st_mtime"] == 5
    assert bucket.get_tags("f") == {"team": "blue"}
    assert not any(r.operation in ("copy", "set_metadata") for r in bucket.requests)


def test_a_file_that_is_deleted_in_time_is_never_sent(tree: FileSystem, bucket: Bucket) -> None:
    write(tree, TEMPORARY)
    tree.unlink(TEMPORARY)
    with pytest.raises(NotFound):
        tree.getattr(TEMPORARY)
    until_settled(tree)
    assert bucket.begun == []


def test_an_empty_directory_and_its_attributes_are_one_put(
    tree: FileSystem, bucket: Bucket
) -> None:
    tree.mkdir("/d", 0o700)
    tree.mkdir("/d/e", 0o700)
    tree.chmod("/d", 0o755)
    tree.utimens("/d", None, 7)
    tree.setxattr("/d", "user.tag.k", b"v", 0)
    assert names(tree, "/") == {"d": stat.S_IFDIR}
    assert names(tree, "/d") == {"e": stat.S_IFDIR}
    assert bucket.begun == []
    until_settled(tree)
    assert sorted(bucket.puts) == ["d/", "d/e/"]
    assert tree.getattr("/d")["st_mode"] == stat.S_IFDIR | 0o755
    assert tree.getattr("/d")["st_mtime"] == 7
    assert bucket.get_tags("d/") == {"k": "v"}
    assert bucket.head("d/").detail.headers["content-type"] == "application/x-directory"  # type: ignore[union-attr]


def test_nothing_is_asked_of_a_new_directory(bucket: Bucket, tmp_path: Path) -> None:
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60, max_listing=1000, counts_tags=True)
    with tree_of(cache, tmp_path, FakeClock(), uploads_behind=4) as tree:
        assert names(tree, "/") == {}
        tree.mkdir("/d", 0o755)
        bucket.requests.clear()
        with pytest.raises(NotFound):
            tree.getattr("/d/f")
        assert names(tree, "/d") == {}
        assert not bucket.requests
        write(tree, "/d/f")
        wait_for(lambda: bucket.puts == ["d/f"])
        assert tree.getattr("/d/f")["st_size"] == 1
        assert names(tree, "/d") == {"f": stat.S_IFREG}, "the directory is held"
        until(tree, lambda: "d/" in bucket.puts)
        assert tree.getattr("/d/f")["st_size"] == 1
        assert names(tree, "/d") == {"f": stat.S_IFREG}


# What has to wait


def test_fsync_waits(tree: FileSystem, bucket: Bucket) -> None:
    fh = tree.create("/f", 0o600, os.O_WRONLY)
    tree.write(fh, 0, b"x")
    tree.fsync(fh)
    assert bucket.puts == ["f"]
    tree.flush(fh)
    tree.release(fh)


def test_fsync_of_a_directory_waits(tree: FileSystem, bucket: Bucket) -> None:
    tree.mkdir("/d", 0o755)
    write(tree, "/d/.f.Ab12xY")
    fh = tree.opendir("/d")
    tree.fsyncdir(fh)
    assert "d/.f.Ab12xY" in bucket.puts
    tree.releasedir(fh)


def test_who_writes_to_it_again_waits(tree: FileSystem, bucket: Bucket) -> None:
    with bucket.slow():
        write(tree, "/f", b"one")
        wait_for(lambda: bucket.begun)
        opener = meanwhile(lambda: tree.truncate("/f", 1))
        assert until_blocked(opener)
    opener.join(60)
    until_settled(tree)
    assert bucket.get("f").data == b"o"


def amid_the_upload(tree: FileSystem, bucket: Bucket, change: Callable[[], object]) -> None:
    """Change the tree while /f is being uploaded."""
    with bucket.slow():
        write(tree, "/f", b"one")
        wait_for(lambda: bucket.begun)
        changing = meanwhile(change)
        until_blocked(changing)
    changing.join(60)
    until_settled(tree)


def test_a_rename_amid_the_upload_moves_the_object(tree: FileSystem, bucket: Bucket) -> None:
    amid_the_upload(tree, bucket, lambda: tree.rename("/f", "/g"))
    assert bucket.get("g").data == b"one"
    with pytest.raises(NotFound):
        bucket.head("f")
    assert names(tree, "/") == {"g": stat.S_IFREG}


def test_an_unlink_amid_the_upload_deletes_the_object(tree: FileSystem, bucket: Bucket) -> None:
    amid_the_upload(tree, bucket, lambda: tree.unlink("/f"))
    with pytest.raises(NotFound):
        bucket.head("f")
    assert names(tree, "/") == {}


def test_a_rename_over_it_is_the_last_word(tree: FileSystem, bucket: Bucket) -> None:
    put(bucket, "g", b"two", team="green")
    amid_the_upload(tree, bucket, lambda: tree.rename("/g", "/f"))
    assert bucket.get("f").data == b"two"
    assert bucket.get_tags("f") == {"team": "green"}


def test_it_is_renamed_over_a_tagged_one(tree: FileSystem, bucket: Bucket) -> None:
    put(bucket, "f", b"old", team="green")
    write(tree, TEMPORARY, b"new")
    tree.rename(TEMPORARY, "/f")
    until_settled(tree)
    assert bucket.get("f").data == b"new"
    assert bucket.get_tags("f") == {"team": "green"}


def test_a_directory_moves_with_all_that_is_held_in_it(tree: FileSystem, bucket: Bucket) -> None:
    tree.mkdir("/d", 0o755)
    for number in range(10):
        write(tree, f"/d/f{number}", b"%d" % number)
    tree.rename("/d", "/e")
    until_settled(tree)
    assert sorted(names(tree, "/e")) == [f"f{number}" for number in range(10)]
    assert names(tree, "/") == {"e": stat.S_IFDIR}
    assert bucket.get("e/f7").data == b"7"


def test_a_directory_is_removed_only_when_it_is_empty(tree: FileSystem, bucket: Bucket) -> None:
    tree.mkdir("/d", 0o755)
    write(tree, "/d/.f.Ab12xY")
    with pytest.raises(NotEmpty):
        tree.rmdir("/d")
    tree.unlink("/d/.f.Ab12xY")
    tree.rmdir("/d")
    until_settled(tree)
    assert names(tree, "/") == {}
    with pytest.raises(NotFound):
        bucket.head("d/")


def test_no_more_than_many_are_held(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_back, "MAX_FILES", 3)
    with bucket.slow():
        for number in range(3):
            write(tree, f"/f{number}")
        writer = meanwhile(lambda: write(tree, "/f3"))
        assert until_blocked(writer)
    writer.join(60)
    until_settled(tree)
    assert len(bucket.puts) == 4


def test_a_close_that_waits_for_nothing_looks_at_nobody(tree: FileSystem) -> None:
    """Whether a program is within execve(2) takes a thread to find out, at every close."""
    looks: list[str] = []

    def execs() -> bool:
        looks.append("")
        return False

    object.__setattr__(tree._env, "caller_execs", execs)
    write(tree, "/f")
    assert not looks


def test_within_execve_nobody_waits_for_room(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_back, "MAX_FILES", 1)
    object.__setattr__(tree._env, "caller_execs", lambda: True)
    with bucket.slow():
        write(tree, "/f")
        fh = tree.create("/g", 0o600, os.O_WRONLY)
        tree.write(fh, 0, b"x")
        closer = meanwhile(lambda: tree.flush(fh))
        closer.join(60)
        assert not closer.is_alive()
    tree.release(fh)
    until_settled(tree)
    assert sorted(bucket.puts) == ["f", "g"]


def test_directories_make_room(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_back, "MAX_FILES", 3)
    for number in range(20):
        tree.mkdir(f"/d{number}", 0o755)
    assert len(bucket.puts) >= 16


def test_much_is_not_held(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_back, "MAX_BYTES", 10)
    with bucket.slow():
        write(tree, "/large", b"x" * 20)  # alone it may be of any size
        writer = meanwhile(lambda: write(tree, "/small"))
        assert until_blocked(writer)
    writer.join(60)


def test_what_came_into_a_held_directory_is_seen(tree: FileSystem, bucket: Bucket) -> None:
    tree.mkdir("/d", 0o755)
    write(tree, "/d/f")
    wait_for(lambda: bucket.puts == ["d/f"] and tree.state()["held_files"] == 1)
    tree.symlink("/d/l", "f")
    tree.mknod("/d/n", 0o644, 0)
    assert set(names(tree, "/d")) == {"f", "l", "n"}
    tree.setxattr("/d/f", "user.tag.k", b"v", 0)
    with pytest.raises(NotEmpty):
        tree.rmdir("/d")
    for name in "fln":
        tree.unlink(f"/d/{name}")
    assert names(tree, "/d") == {}
    assert names(tree, "/") == {"d": stat.S_IFDIR}


def test_a_tag_beside_those_of_the_replaced(tree: FileSystem, bucket: Bucket) -> None:
    put(bucket, "f", b"old", team="green")
    with bucket.slow():
        write(tree, TEMPORARY, b"new")
        tree.rename(TEMPORARY, "/f")
        # The upload has begun, or not: either way the tags are those that the file will have.
        reader = meanwhile(lambda: tree.setxattr("/f", "user.tag.k", b"v", 0))
        until_blocked(reader)
    reader.join(60)
    until_settled(tree)
    assert bucket.get_tags("f") == {"team": "green", "k": "v"}


def test_rewriting_over_and_over_loses_nothing(tree: FileSystem, bucket: Bucket) -> None:
    """Who truncates meets the upload that is just ending."""
    for number in range(rounds(300)):
        path = f"/f{number % 3}"
        if number < 3:
            write(tree, path, b"begin")
        tree.truncate(path, 0)
        fh, _ = tree.open(path, os.O_WRONLY)
        tree.write(fh, 0, b"%d" % number)
        tree.flush(fh)
        tree.release(fh)
    until_settled(tree)
    last = sorted(b"%d" % (rounds(300) - n) for n in (1, 2, 3))
    assert sorted(bucket.get(f"f{n}").data for n in range(3)) == last


def test_rm_of_a_rewritten_file_fetches_nothing(tree: FileSystem, bucket: Bucket) -> None:
    put(bucket, TEMPORARY[1:], b"x" * 1000)
    fh, _ = tree.open(TEMPORARY, os.O_RDWR)
    tree.write(fh, 0, b"y")
    tree.flush(fh)
    tree.release(fh)
    tree.unlink(TEMPORARY)
    assert not any(r.operation == "get" for r in bucket.requests)
    assert names(tree, "/") == {}


def test_a_small_disk_holds_little(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree._due.uploads, "_free_bytes", lambda: 10)
    with bucket.slow():
        write(tree, "/f", b"x" * 6)
        writer = meanwhile(lambda: write(tree, "/g", b"x" * 6))
        assert until_blocked(writer)
    writer.join(60)


def test_a_slow_look_at_the_disk_keeps_nobody_else_waiting(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def free_bytes() -> int:
        looking.set()
        assert go_on.wait(60)
        return 10**9

    with bucket.slow():
        write(tree, "/held", b"x")
        monkeypatch.setattr(tree._due.uploads, "_free_bytes", free_bytes)
        writer = meanwhile(lambda: write(tree, "/f"))
        assert looking.wait(60)
    until_settled(tree)
    assert bucket.puts == ["held"]
    go_on.set()
    writer.join(60)
    until_settled(tree)
    assert bucket.puts == ["held", "f"]


# What fails


@pytest.mark.slow
def test_a_failure_is_reported_and_retried(
    tree: FileSystem, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.failure = Unreachable("out of reach")
    write(tree, "/f", b"one")
    until(tree, lambda: len(bucket.begun) > 3)
    assert tree.state()["failing_uploads"] == 1
    assert read(tree, "/f") == b"one"
    with pytest.raises(Unreachable):  # no success is reported any more
        write(tree, "/g")
    with pytest.raises(Unreachable):
        tree.mkdir("/d", 0o755)
    assert set(names(tree, "/")) == {"f"}
    bucket.failure = None
    until_settled(tree)
    assert bucket.get("f").data == b"one"
    reported = [
        r for r in caplog.records if "/f: not uploaded" in r.message and r.levelname == "ERROR"
    ]
    assert len(reported) == 1
    with bucket.slow():
        write(tree, "/h")  # trusted again
    until_settled(tree)


def test_fsync_hears_of_a_failure(tree: FileSystem, bucket: Bucket) -> None:
    bucket.failure = AccessDenied("no")
    fh = tree.create("/f", 0o600, os.O_WRONLY)
    tree.write(fh, 0, b"x")
    tree.flush(fh)
    with pytest.raises(AccessDenied):
        tree.fsync(fh)
    tree.release(fh)


def test_a_file_that_fails_can_be_deleted(tree: FileSystem, bucket: Bucket) -> None:
    bucket.failure = AccessDenied("no")
    write(tree, "/f")
    wait_for(lambda: tree.state()["failing_uploads"])
    tree.unlink("/f")
    assert names(tree, "/") == {}
    bucket.failure = None
    write(tree, "/g")
    wait_for(lambda: "g" in bucket.puts)
    assert "f" not in bucket.puts


def test_what_another_client_made_is_not_replaced(
    tree: FileSystem, bucket: Bucket, tmp_path: Path
) -> None:
    with bucket.slow():
        write(tree, "/f", b"ours")
        put(bucket, "f", b"theirs")
    until_settled(tree)
    assert bucket.get("f").data == b"theirs"
    assert read(tree, "/f") == b"theirs"
    (note,) = notes(tmp_path)
    assert (note["key"], note["exclusive"]) == ("f", True)
    assert len(list(tmp_path.glob("*.data"))) == 1  # for `tagfs recover`


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_an_upload_that_is_sent_again_spares_what_is_newer(
    bucket: Bucket,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    was_there: bool,
    stored: bool,
) -> None:
    """F8. It comes late, and another host has written to the same file meanwhile."""
    if was_there:
        put(bucket, "f", b"old")
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=4, stored=stored) as tree:
        bucket.failure = Unreachable("out of reach")
        rewrite(tree, b"ours")
        wait_for(lambda: tree.state()["failing_uploads"])
        put(bucket, "f", b"newer, theirs")
        bucket.failure = None
        until_settled(tree)
        assert bucket.get("f").data == b"newer, theirs"
        assert read(tree, "/f") == b"newer, theirs"
    assert "another client has made or replaced it" in caplog.text
    (staged,) = tmp_path.glob("*.data")  # for `tagfs recover`
    assert staged.read_bytes() == b"ours"


@pytest.mark.parametrize("stored", [True, False])
def test_an_upload_that_is_sent_again_replaces_its_own_first_attempt(
    bucket: Bucket, tmp_path: Path, *, stored: bool
) -> None:
    """... whose answer was lost; what the file was made of is no obstacle either."""
    put(bucket, "f", b"old")
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=4, stored=stored) as tree:
        for failing in ("before", "after"):
            setattr(bucket, failing, _lose("put"))
            rewrite(tree, failing.encode())
            wait_for(lambda: tree.state()["failing_uploads"])
            setattr(bucket, failing, None)
            until_settled(tree)
            assert bucket.get("f").data == failing.encode()
    assert list(tmp_path.iterdir()) == []


def rewrite(tree: FileSystem, data: bytes) -> None:
    """Write a file anew, as a shell does, whether it is there or not."""
    if tree.tree.find("/f") is None:
        write(tree, "/f", data, flags=os.O_TRUNC)
        return
    fh, _ = tree.open("/f", os.O_WRONLY)
    tree.truncate("/f", 0, fh)
    tree.write(fh, 0, data)
    tree.flush(fh)
    tree.release(fh)


def test_a_directory_that_another_client_made_stays_theirs(
    tree: FileSystem, bucket: Bucket, tmp_path: Path
) -> None:
    theirs = NewObject(metadata={"note": "n", "mode": "16877"}, tags=TagSet({"team": "green"}))
    for name in ("plain", "set"):
        tree.mkdir(f"/{name}", 0o700)
        MemoryBucket.put(bucket, f"{name}/", BytesSource(b""), theirs)
    tree.chmod("/set", 0o711)
    tree.setxattr("/set", "user.tag.k", b"v", 0)
    until_settled(tree)
    detail = bucket.head("plain/").detail
    assert detail is not None
    assert detail.metadata == theirs.metadata
    assert bucket.get_tags("plain/") == {"team": "green"}
    detail = bucket.head("set/").detail
    assert detail is not None
    assert detail.metadata["note"] == "n"
    assert tree.getattr("/set")["st_mode"] == stat.S_IFDIR | 0o711
    assert bucket.get_tags("set/") == {"team": "green", "k": "v"}
    assert notes(tmp_path) == []


@pytest.mark.parametrize("failure", [Refused("KMS disabled"), NoSuchBucket("gone")])
def test_any_other_failure_is_tried_again_too(
    tree: FileSystem, bucket: Bucket, failure: TagfsError
) -> None:
    bucket.failure = failure
    write(tree, "/f")
    wait_for(lambda: tree.state()["failing_uploads"])
    assert set(names(tree, "/")) == {"f"}
    with pytest.raises(type(failure)):
        write(tree, "/g")
    bucket.failure = None
    until_settled(tree)
    assert "f" in bucket.puts


def test_a_close_that_waited_ends_the_failing(tree: FileSystem, bucket: Bucket) -> None:
    bucket.failure = Unreachable("out of reach")
    write(tree, "/f")
    wait_for(lambda: tree.state()["failing_uploads"])
    bucket.failure = None
    fh, _ = tree.open("/f", os.O_WRONLY)  # which settles it
    assert tree.state()["failing_uploads"] == 0
    tree.release(fh)


def test_what_an_unanswered_upload_made_does_not_stay_behind(
    tree: FileSystem, bucket: Bucket
) -> None:
    bucket.after = _lose("put")
    write(tree, "/f", b"one")
    wait_for(lambda: tree.state()["failing_uploads"])
    assert bucket.get("f").data == b"one"
    bucket.after = None
    tree.rename("/f", "/g")
    until_settled(tree)
    assert set(names(tree, "/")) == {"g"}
    assert bucket.get("g").data == b"one"


def test_of_several_unanswered_attempts_each_may_be_ours(tree: FileSystem, bucket: Bucket) -> None:
    bucket.failure = Unreachable("never arrived")
    write(tree, "/f", b"one")
    wait_for(lambda: tree.state()["failing_uploads"])
    tree.chmod("/f", 0o640)
    bucket.after = _lose("put")
    bucket.failure = None
    until(tree, lambda: "f" in bucket.puts or bucket.begun.count("f") > 3)
    tree.chmod("/f", 0o444)
    bucket.after = None
    until_settled(tree)
    assert tree.getattr("/f")["st_mode"] & 0o777 == 0o444


def test_attributes_follow_an_append_however_often_it_takes(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=2, append_objects="*.log") as tree:
        write(tree, "/a.log", b"1")
        until_settled(tree)
        fh, _ = tree.open("/a.log", os.O_WRONLY | os.O_APPEND)
        tree.write(fh, 1, b"2")
        tree.chmod("/a.log", 0o640)
        bucket.before = _lose("set_metadata")
        tree.flush(fh)
        tree.release(fh)
        wait_for(lambda: tree.state()["failing_uploads"])
        bucket.before = None
        until_settled(tree)
        assert tree.getattr("/a.log")["st_mode"] & 0o777 == 0o640
        assert bucket.get("a.log").data == b"12"


# The end


def test_the_end_uploads_everything(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=2) as tree:
        tree.mkdir("/d", 0o755)
        for number in range(20):
            write(tree, f"/d/.f{number}.Ab12xY")
    assert len(bucket.puts) == 21
    assert list(tmp_path.iterdir()) == []


def test_the_end_keeps_what_fails(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=2) as tree:
        bucket.failure = Unreachable("out of reach")
        write(tree, "/f", b"one")
    (note,) = notes(tmp_path)
    assert note["key"] == "f"
    assert [file.read_bytes() for file in tmp_path.glob("*.data")] == [b"one"]


def test_the_note_is_always_the_last_word(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path, FakeClock(), uploads_behind=2) as tree, bucket.slow():
        write(tree, TEMPORARY)
        tree.chmod(TEMPORARY, 0o751)
        tree.setxattr(TEMPORARY, "user.tag.team", b"blue", 0)
        tree.setxattr(TEMPORARY, "user.meta.note", b"n", 0)
        (note,) = notes(tmp_path)
        assert note["key"] == TEMPORARY[1:]
        assert note["phase"] == "closing"
        assert note["tags"] == {"team": "blue"}
        assert note["metadata"]["note"] == "n"  # type: ignore[index]
        assert int(note["metadata"]["mode"]) & 0o7777 == 0o751  # type: ignore[index]
        tree.rename(TEMPORARY, "/f")
        (note,) = notes(tmp_path)
        assert (note["key"], note["exclusive"]) == ("f", False)
