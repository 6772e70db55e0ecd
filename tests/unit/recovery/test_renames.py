"""A rename that was cut short: of two equal objects one goes, of two that differ neither."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tagfs.errors import Unreachable
from tagfs.fs.content.journal_entries import RenameEntry, RenamePhase
from tagfs.fs.mapping.paths import Root
from tagfs.recovery.finish_file import Conflict
from tagfs.recovery.finish_rename import RenameFinisher
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket

COPYING = RenameEntry(source="old/", target="new/", phase=RenamePhase.COPYING, replaces=False)
DELETING = replace(COPYING, phase=RenamePhase.DELETING)
SAME = NewObject(
    metadata={"mode": "33188"}, headers={"content-type": "text/plain"}, tags=TagSet({"k": "v"})
)
DIFFERENT = {
    "content": (b"bytEs", SAME),
    "size": (b"longer", SAME),
    "metadata": (b"bytes", replace(SAME, metadata={"mode": "1"})),
    "headers": (b"bytes", replace(SAME, headers={"content-type": "text/html"})),
    "tags": (b"bytes", replace(SAME, tags=TagSet({"k": "w"}))),
}


class Clock:
    def __init__(self) -> None:
        self.now = 10**18

    def __call__(self) -> int:
        self.now += 10**9
        return self.now


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket("b", clock=Clock())


@pytest.fixture
def finisher(bucket: MemoryBucket) -> Iterator[RenameFinisher]:
    with ThreadPoolExecutor(4) as executor:
        yield RenameFinisher(bucket, Root(), executor)


def put(bucket: MemoryBucket, key: str, content: bytes = b"bytes", new: NewObject = SAME) -> None:
    bucket.put(key, BytesSource(content), new)


def keys(bucket: MemoryBucket) -> list[str]:
    return [info.key for info in bucket.list("", delimiter="").objects]


@pytest.mark.parametrize(
    ("entry", "stays"), [(COPYING, ["old/a", "old/b"]), (DELETING, ["new/a", "new/b"])]
)
def test_equal_objects_get_one_name(
    bucket: MemoryBucket, finisher: RenameFinisher, entry: RenameEntry, stays: list[str]
) -> None:
    for key in ("old/a", "old/b", "new/a", "new/b"):
        put(bucket, key)
    outcome = finisher.finish(entry)
    assert keys(bucket) == stays
    assert (outcome.deleted, outcome.kept) == (2, [])


@pytest.mark.parametrize("entry", [COPYING, DELETING])
@pytest.mark.parametrize("difference", DIFFERENT)
def test_objects_that_differ_in_anything_both_stay(
    bucket: MemoryBucket, finisher: RenameFinisher, entry: RenameEntry, difference: str
) -> None:
    put(bucket, "old/a")
    put(bucket, "new/a", *DIFFERENT[difference])
    outcome = finisher.finish(entry)
    assert keys(bucket) == ["new/a", "old/a"]
    assert outcome.kept == ["new/a" if entry is COPYING else "old/a"]


@pytest.mark.parametrize("entry", [COPYING, DELETING])
def test_an_original_made_anew_after_its_copy_stays(
    bucket: MemoryBucket, finisher: RenameFinisher, entry: RenameEntry
) -> None:
    put(bucket, "new/a")
    put(bucket, "old/a")
    finisher.finish(entry)
    assert keys(bucket) == ["new/a", "old/a"]


@pytest.mark.parametrize(("entry", "only"), [(COPYING, "new/a"), (DELETING, "old/a")])
def test_what_has_no_counterpart_stays(
    bucket: MemoryBucket, finisher: RenameFinisher, entry: RenameEntry, only: str
) -> None:
    put(bucket, only)
    finisher.finish(entry)
    assert keys(bucket) == [only]


def test_an_empty_directory_that_was_there_before_is_there_again(
    bucket: MemoryBucket, finisher: RenameFinisher
) -> None:
    for key in ("old/", "old/a", "new/", "new/a"):
        put(bucket, key)
    finisher.finish(replace(COPYING, replaces=True))
    assert keys(bucket) == ["new/", "old/", "old/a"]


def test_directories_of_many_pages() -> None:
    bucket = MemoryBucket("b", clock=Clock(), page=100)
    for number in range(210):
        put(bucket, f"old/{number}")
        put(bucket, f"new/{number}")
    with ThreadPoolExecutor(4) as executor:
        assert RenameFinisher(bucket, Root(), executor).finish(DELETING).deleted == 210
    assert all(key.startswith("new/") for key in keys(bucket))


def test_links_are_the_same_if_they_say_the_same(
    bucket: MemoryBucket, finisher: RenameFinisher
) -> None:
    bucket.put_symlink("old/same", "old/a", NewObject())
    bucket.put_symlink("old/other", "old/a", NewObject())
    bucket.put_symlink("new/same", "new/a", NewObject())
    bucket.put_symlink("new/other", "new/b", NewObject())
    outcome = finisher.finish(COPYING)
    assert keys(bucket) == ["new/other", "old/other", "old/same"]
    assert outcome.kept == ["new/other"]


def test_prefixes_outside_the_mount_are_refused(bucket: MemoryBucket) -> None:
    put(bucket, "old/a")
    put(bucket, "new/a")
    with ThreadPoolExecutor(1) as executor, pytest.raises(Conflict):
        RenameFinisher(bucket, Root("p/"), executor).finish(DELETING)
    assert keys(bucket) == ["new/a", "old/a"]


def test_a_failure_midway_leaves_it_to_be_done_again(
    bucket: MemoryBucket, finisher: RenameFinisher
) -> None:
    for key in ("old/a", "old/b", "new/a", "new/b"):
        put(bucket, key)

    def fail(operation: str, key: str) -> None:
        if operation == "get_tags" and key.endswith("b"):
            raise Unreachable("no answer")

    bucket.before = fail
    with pytest.raises(Unreachable):
        finisher.finish(DELETING)
    bucket.before = None
    finisher.finish(DELETING)
    assert keys(bucket) == ["new/a", "new/b"]
