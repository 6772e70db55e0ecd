"""One open file over a bucket in memory: what requests its changes become."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tagfs.errors import AccessDenied, StagingFull, Unsupported
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.objects import BytesSource, NewObject, ObjectType
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.waiting import wait_for

PART = 100
RDWR = 2


class Bench:
    """A file system over a bucket in memory whose parts are tiny."""

    def __init__(self, staging: Path, executor: ThreadPoolExecutor) -> None:
        limits = Limits(min_part=PART, max_part=8 * PART, max_copy_part=5 * PART)
        self.bucket = MemoryBucket(limits=limits)
        env = environment_of(self.bucket, staging, executor, part_size=PART)
        self.staging = env.staging
        self.fs = FileSystem(env, dict)

    def put(self, data: bytes) -> None:
        self.bucket.put("f", BytesSource(data), NewObject(tags=TagSet({"k": "v"})))
        self.bucket.requests.clear()

    def requests(self) -> Counter[str]:
        return Counter(request.operation for request in self.bucket.requests)


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def bench(tmp_path: Path, executor: ThreadPoolExecutor) -> Iterator[Bench]:
    bench = Bench(tmp_path, executor)
    yield bench
    bench.fs.close()


lengths = st.integers(0, 1500)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("write"), lengths, st.integers(1, 400)),
        st.tuples(st.just("truncate"), lengths, st.just(0)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
    ),
    max_size=15,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.none(), lengths), changes)
def test_what_is_written_is_uploaded(
    tmp_path: Path,
    executor: ThreadPoolExecutor,
    before: int | None,
    changes: list[tuple[str, int, int]],
) -> None:
    bench = Bench(tmp_path, executor)
    model = bytearray(n * 7 % 251 for n in range(before or 0))
    if before is None:
        fh = bench.fs.create("/f", 0o644, RDWR)
    else:
        bench.put(bytes(model))
        fh, _ = bench.fs.open("/f", RDWR)
    for number, (name, at, length) in enumerate(changes):
        data = bytes([number + 1]) * length
        if name == "write":
            bench.fs.write(fh, at, data)
            model.extend(bytes(max(0, at - len(model))))
            model[at : at + length] = data
        elif name == "truncate":
            bench.fs.truncate("/f", at, fh)
            model[at:] = bytes(max(0, at - len(model)))
        else:
            bench.fs.flush(fh)
            assert bench.bucket.get("f").data == model
        assert bytes(bench.fs.read(fh, 0, 5000)) == model
    bench.fs.flush(fh)
    bench.fs.release(fh)
    assert bench.bucket.get("f").data == model
    assert dict(bench.bucket.get_tags("f")) == ({} if before is None else {"k": "v"})
    assert list(tmp_path.iterdir()) == []
    starts, ends = (bench.requests()[name] for name in ("start_upload", "complete_upload"))
    assert starts == ends + bench.requests()["abort_upload"]
    bench.fs.close()


def test_a_large_file_is_sent_while_it_is_written(bench: Bench) -> None:
    fh = bench.fs.create("/f", 0o644, RDWR)
    for at in range(0, 10 * PART, PART):
        bench.fs.write(fh, at, b"x" * PART)
    assert bench.requests()["start_upload"] == 1
    wait_for(lambda: bench.requests()["upload_part"] >= 9)  # one that waits would be sent once
    bench.fs.write(fh, 0, b"y")  # a part written again is sent again under its number
    bench.fs.flush(fh)
    assert bench.requests()["upload_part"] == 11
    assert bench.bucket.get("f").data == b"y" + b"x" * (10 * PART - 1)
    bench.fs.release(fh)


def test_an_edit_fetches_only_the_edges(bench: Bench) -> None:
    bench.put(bytes(20 * PART))
    fh, _ = bench.fs.open("/f", RDWR)
    bench.fs.write(fh, 7 * PART, b"x")
    bench.fs.flush(fh)
    bench.fs.release(fh)
    requests = bench.requests()
    assert requests["get"] <= 2
    assert requests["upload_part"] == 1
    assert bench.bucket.get("f").data == bytes(7 * PART) + b"x" + bytes(13 * PART - 1)


def test_what_could_not_be_uploaded_is_kept(bench: Bench) -> None:
    def refuse(operation: str, _key: str) -> None:
        if operation == "put":
            raise AccessDenied("not now")

    bench.put(b"old")
    fh, _ = bench.fs.open("/f", RDWR)
    bench.fs.write(fh, 0, b"new")
    bench.bucket.before = refuse
    with pytest.raises(AccessDenied):
        bench.fs.flush(fh)
    bench.fs.release(fh)
    bench.bucket.before = None
    assert bench.bucket.get("f").data == b"old"
    kept = sorted(path.suffix for path in bench.staging.directory.iterdir())
    assert kept == [".data", ".json"]


def test_what_has_no_name_any_more_is_not_sent(bench: Bench) -> None:
    fh = bench.fs.create("/f", 0o644, RDWR | os.O_TRUNC)
    bench.fs.unlink("/f")
    for at in range(0, 10 * PART, PART):
        bench.fs.write(fh, at, b"x" * PART)
    bench.fs.flush(fh)
    bench.fs.release(fh)
    assert bench.requests() == {}


def test_an_edit_is_sent_whole_where_no_part_can_be_copied(bench: Bench) -> None:
    def refuse(operation: str, _key: str) -> None:
        if operation == "copy_part":
            bench.bucket._capabilities = Capabilities(part_copies=False)
            raise Unsupported("no parts are copied here")

    bench.put(bytes(20 * PART))
    bench.bucket.before = refuse
    for number in (1, 2):
        fh, _ = bench.fs.open("/f", RDWR)
        bench.fs.write(fh, number, b"x")
        bench.fs.flush(fh)
        bench.fs.release(fh)
    requests = bench.requests()
    assert requests["start_upload"] == 3  # the second file asks for no copies any more
    assert requests["abort_upload"] == 1
    assert bench.bucket.get("f").data == b"\0xx" + bytes(20 * PART - 3)


def test_an_empty_appendable_object_stays_one(bench: Bench) -> None:
    bench.bucket.start_append("f", BytesSource(b""), NewObject())
    for expected in (b"x", b"xx"):
        fh, _ = bench.fs.open("/f", RDWR | os.O_APPEND)
        bench.fs.write(fh, 0, b"x")
        bench.fs.flush(fh)
        bench.fs.release(fh)
        found = bench.bucket.get("f")
        assert (found.data, found.info.type) == (expected, ObjectType.APPENDABLE)


def refusing(bench: Bench, *operations: str) -> None:
    """Let the bucket refuse some operations from now on."""

    def refuse(operation: str, _key: str) -> None:
        if operation in operations:
            raise AccessDenied("not now")

    bench.bucket.before = refuse


def edits() -> dict[str, Callable[[FileSystem], None]]:
    return {
        "st_mode": lambda fs: fs.chmod("/f", 0o600),
        "st_mtime": lambda fs: fs.utimens("/f", None, 10**9),
        "user.meta.a": lambda fs: fs.setxattr("/f", "user.meta.a", b"1", 0),
        "user.meta.team": lambda fs: fs.removexattr("/f", "user.meta.team"),
    }


@pytest.mark.parametrize("name", edits())
def test_an_edit_that_fails_shows_nothing_of_itself(bench: Bench, name: str) -> None:
    """Of a file that is open and was uploaded: what is edited goes to its object at once."""
    fh = bench.fs.create("/f", 0o644, RDWR)
    bench.fs.setxattr("/f", "user.meta.team", b"blue", 0)
    bench.fs.flush(fh)
    before = bench.fs.getattr("/f"), bench.fs.listxattr("/f")
    refusing(bench, "set_metadata")
    with pytest.raises(AccessDenied):
        edits()[name](bench.fs)
    assert (bench.fs.getattr("/f"), bench.fs.listxattr("/f")) == before
    bench.bucket.before = None
    edits()[name](bench.fs)
    assert (bench.fs.getattr("/f"), bench.fs.listxattr("/f")) != before
    bench.fs.release(fh)


def test_metadata_of_an_open_file_that_was_only_listed_is_added_to(bench: Bench) -> None:
    bench.bucket.put("f", BytesSource(b"x"), NewObject(metadata={"team": "blue"}))
    fh, _ = bench.fs.open("/f", RDWR)
    node = bench.fs.files.node("/f")
    assert node is not None
    bench.fs.write(fh, 0, b"y")
    bench.fs.flush(fh)
    assert node.info is not None
    node.info = replace(node.info, detail=None)
    bench.fs.setxattr("/f", "user.meta.cost", b"low", 0)
    found = bench.bucket.head("f").detail
    assert found is not None
    assert {k: found.metadata[k] for k in ("team", "cost")} == {"team": "blue", "cost": "low"}
    bench.fs.release(fh)


def test_a_rename_that_fails_changes_nothing_of_a_new_file(bench: Bench) -> None:
    """What the replaced file would have left it is not carried to its old name."""
    bench.bucket.put("f", BytesSource(b"x"), NewObject(metadata={"team": "blue"}))
    over, _ = bench.fs.open("/f", RDWR)
    fh = bench.fs.create("/g", 0o644, RDWR)
    refusing(bench, "get")
    with pytest.raises(AccessDenied):
        bench.fs.rename("/g", "/f")
    bench.bucket.before = None
    bench.fs.flush(fh)
    detail = bench.bucket.head("g").detail
    assert detail is not None
    assert "team" not in detail.metadata
    bench.fs.release(fh)
    bench.fs.release(over)


class TestUnknown:
    """A file that is being opened to read, and of which nothing is known until the answer."""

    def during(self, bench: Bench, act: Callable[[], None]) -> None:
        def answered(operation: str, _key: str) -> None:
            if operation == "get":
                bench.bucket.after = None
                act()

        bench.put(b"old")
        bench.bucket.after = answered
        fh, _ = bench.fs.open("/f", os.O_RDONLY)
        assert bytes(bench.fs.read(fh, 0, 9)) == b"old"
        bench.fs.release(fh)

    def test_it_is_unlinked(self, bench: Bench) -> None:
        self.during(bench, lambda: bench.fs.unlink("/f"))
        assert bench.bucket.list("").objects == ()

    def test_it_is_renamed(self, bench: Bench) -> None:
        copied = threading.Event()
        mover = threading.Thread(target=lambda: bench.fs.rename("/f", "/g"))

        def after(operation: str, _key: str) -> None:
            if operation == "copy":
                copied.set()

        def act() -> None:
            bench.bucket.after = after
            mover.start()
            assert copied.wait(60)

        self.during(bench, act)
        mover.join()
        assert bench.bucket.get("g").data == b"old"
        assert [info.key for info in bench.bucket.list("").objects] == ["g"]


class TestRenamedOver:
    """A new file that took another's name and is not uploaded yet: the other's object is there."""

    def save(self, bench: Bench) -> int:
        bench.put(b"old")
        fh = bench.fs.create("/new", 0o644, RDWR)
        bench.fs.write(fh, 0, b"new")
        bench.fs.rename("/new", "/f")
        assert bench.bucket.get("f").data == b"old"
        return fh

    def test_it_is_unlinked(self, bench: Bench) -> None:
        fh = self.save(bench)
        bench.fs.unlink("/f")
        bench.fs.release(fh)
        assert bench.bucket.list("").objects == ()

    @pytest.mark.parametrize("reported", [False, None])
    def test_it_is_unlinked_while_libfuse_has_it_open(
        self, bench: Bench, *, reported: bool | None
    ) -> None:
        """`reported`: what is known of whether the call is a rename; None: not for a moment."""
        fh = self.save(bench)
        bench.fs.unlink_open("/f", "/alias", is_replaced=reported)
        bench.fs._due.before_made("/f")
        bench.fs.release(fh)
        assert bench.bucket.list("").objects == ()

    def test_it_is_renamed_on(self, bench: Bench) -> None:
        fh = self.save(bench)
        bench.fs.rename("/f", "/g")
        bench.fs.flush(fh)
        bench.fs.release(fh)
        assert [info.key for info in bench.bucket.list("").objects] == ["g"]
        assert bench.bucket.get("g").data == b"new"
        assert dict(bench.bucket.get_tags("g")) == {"k": "v"}

    def test_it_is_renamed_on_and_the_service_refuses(self, bench: Bench) -> None:
        fh = self.save(bench)
        refusing(bench, "put")
        with pytest.raises(AccessDenied):
            bench.fs.rename("/f", "/g")
        bench.bucket.before = None
        assert bytes(bench.fs.read(fh, 0, 9)) == b"new"
        assert bench.bucket.get("f").data == b"old"
        bench.fs.flush(fh)
        assert bench.bucket.get("f").data == b"new"
        bench.fs.release(fh)


def test_a_write_that_is_cut_short_is_uploaded_as_far_as_it_went(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4, D5: write(2) says how many bytes; a page of a mapping is all there, or it is an error."""
    pwrite, room = os.pwrite, [4]

    def cramped(fd: int, data: bytes, offset: int) -> int:
        if not room[0]:
            raise OSError(28, "full")
        done = pwrite(fd, data[: room[0]], offset)
        room[0] -= done
        return done

    bench.put(b"old content")
    fh, _ = bench.fs.open("/f", RDWR)
    monkeypatch.setattr("os.pwrite", cramped)
    assert bench.fs.write(fh, 0, b"newer") == 4
    with pytest.raises(StagingFull):
        bench.fs.write(fh, 4, b"r")
    room[0] = 2
    with pytest.raises(StagingFull):
        bench.fs.write(fh, 20, b"page", mapped=True)
    monkeypatch.undo()
    bench.fs.truncate(None, 11, fh)
    bench.fs.flush(fh)
    assert bytes(bench.bucket.get("f").data) == b"newecontent"
    bench.fs.release(fh)
