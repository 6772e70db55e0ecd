"""Finishing a staged file: what may become its object, what was uploaded, what is another's."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import NotFound, Unsupported
from tagfs.fs.content.journal_entries import FileEntry, UploadStart
from tagfs.fs.mapping.paths import Root
from tagfs.recovery.abandoned_file import StagedContent
from tagfs.recovery.finish_file import Conflict, FileFinisher
from tagfs.recovery.resume_upload import UploadResumer
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket

PART = 100 * 1024
LARGE = os.urandom(1024) * 450
OURS = {"mtime": "1", "mode": "33188"}
ENTRY = FileEntry(
    key="k",
    metadata=OURS,
    headers={},
    tags=None,
    exclusive=False,
    base_etag=None,
    base_size=0,
    size=len(LARGE),
    written=[(0, len(LARGE))],
    part_size=PART,
)


class Scene:
    """A bucket, and a staged file that is to be finished there."""

    def __init__(self, directory: Path) -> None:
        self.bucket = MemoryBucket("b")
        self.notes: list[FileEntry] = []
        self.path = directory / "staged.data"
        self.executor = ThreadPoolExecutor(4)

    def finish(self, entry: FileEntry, content: bytes = LARGE, *, force: bool = False) -> bool:
        self.path.write_bytes(content)
        fd = os.open(self.path, os.O_RDWR)
        try:
            sender = UploadResumer(self.bucket, self.executor, lambda _: None)
            remains = StagedContent(self.path, fd, entry, self.notes.append)
            return FileFinisher(self.bucket, Root(), sender, force=force).finish(remains)
        finally:
            os.close(fd)

    def put(self, content: bytes, **tags: str) -> str:
        new = NewObject(metadata=OURS, tags=TagSet(tags))
        return self.bucket.put("k", BytesSource(content), new).etag

    def content(self) -> bytes:
        return self.bucket.get("k").data

    def begin(self, parts: dict[int, bytes], begun: UploadStart) -> FileEntry:
        """Begin an upload with some parts, as a mount that then crashed."""
        new = NewObject(metadata=begun.metadata, headers=begun.headers, tags=TagSet(begun.tags))
        upload = self.bucket.start_upload("k", new)
        for number, data in parts.items():
            self.bucket.upload_part(upload, number, BytesSource(data))
        return replace(ENTRY, upload_id=upload.upload_id, begun=begun)

    def operations(self) -> list[str]:
        return [request.operation for request in self.bucket.requests]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.executor.shutdown()


def part(number: int) -> bytes:
    return LARGE[(number - 1) * PART : number * PART]


EARLY = UploadStart(metadata={"mode": "33152"}, headers={}, tags={})


def test_parts_that_hold_what_they_should_are_not_sent_again(scene: Scene) -> None:
    entry = scene.begin({1: part(1), 2: b"x" * PART, 4: part(4)}, EARLY)
    scene.bucket.requests.clear()
    assert scene.finish(replace(entry, tags={"k": "v"}))
    assert scene.content() == LARGE
    assert scene.bucket.get_tags("k") == {"k": "v"}
    found = scene.bucket.head("k").detail
    assert found is not None
    assert dict(found.metadata) == OURS
    assert scene.operations().count("upload_part") == 3  # the second, third and last


def test_an_upload_of_which_nothing_is_right_is_thrown_away(scene: Scene) -> None:
    entry = scene.begin({1: b"x" * PART, 2: b"x" * 10}, EARLY)
    assert scene.finish(replace(entry, tags={"k": "v"}))
    assert scene.content() == LARGE
    assert scene.notes[-1].upload_id != entry.upload_id
    assert scene.notes[-1].begun == UploadStart(metadata=OURS, headers={}, tags={"k": "v"})
    assert "abort_upload" in scene.operations()


def test_an_upload_that_is_gone_is_begun_anew(scene: Scene) -> None:
    assert scene.finish(replace(ENTRY, upload_id="GONE", begun=EARLY))
    assert scene.content() == LARGE


def test_tags_decided_after_the_upload_had_begun_are_set_once(scene: Scene) -> None:
    """Killed between the completion and the edits that follow it."""
    begun = UploadStart(metadata=OURS, headers={}, tags={"early": "1"})
    entry = replace(ENTRY, upload_id="GONE", begun=begun, tags={"late": "2"})
    scene.put(LARGE, early="1")
    assert not scene.finish(entry)
    assert scene.bucket.get_tags("k") == {"late": "2"}
    assert not scene.finish(entry)
    scene.bucket.put_tags("k", TagSet({"somebody": "else"}))
    with pytest.raises(Conflict, match="changed its tags"):
        scene.finish(entry)
    assert scene.bucket.get_tags("k") == {"somebody": "else"}
    assert not scene.finish(entry, force=True)
    assert scene.bucket.get_tags("k") == {"late": "2"}


def test_the_same_content_from_another_is_not_ours_if_our_tags_are_missing(scene: Scene) -> None:
    new = NewObject(metadata={"by": "another"}, tags=TagSet({"theirs": "1"}))
    scene.bucket.put("k", BytesSource(LARGE), new)
    with pytest.raises(Conflict, match="other tags"):
        scene.finish(replace(ENTRY, tags={"ours": "2"}))
    assert not scene.finish(ENTRY)
    assert not scene.finish(replace(ENTRY, tags={"theirs": "1"}))
    assert scene.finish(replace(ENTRY, tags={"ours": "2"}), force=True)
    assert scene.bucket.get_tags("k") == {"ours": "2"}


def test_an_edit_is_done_only_if_every_changed_byte_is_there(scene: Scene) -> None:
    base = scene.put(b"base" * 30_000)
    entry = replace(ENTRY, base_etag=base, base_size=120_000, size=120_000, written=[(10, 20)])
    content = b"-" * 10 + b"0123456789" + b"-" * (120_000 - 20)
    scene.put(b"base" * 20_000 + b"else" * 10_000)
    with pytest.raises(Conflict, match="119990 unchanged bytes"):
        scene.finish(entry, content)
    scene.put((b"base" * 30_000)[:10] + b"0123456789" + (b"base" * 30_000)[20:])
    assert not scene.finish(entry, content)


def test_a_truncation_alone_is_never_taken_for_done(scene: Scene) -> None:
    base = scene.put(b"0123456789")
    scene.bucket.put("k", BytesSource(b"other"), NewObject(metadata={"by": "another"}))
    with pytest.raises(Conflict):
        scene.finish(replace(ENTRY, base_etag=base, base_size=5, size=5, written=[]), b"\0" * 5)


def test_what_lies_beyond_the_base_is_zeros(scene: Scene) -> None:
    base = scene.put(b"0123456789")
    entry = replace(ENTRY, base_etag=base, base_size=4, size=12, written=[(8, 9)])
    assert scene.finish(entry, b"\0" * 8 + b"X" + b"\0" * 3)
    assert scene.content() == b"0123\0\0\0\0X\0\0\0"


def test_a_directory_of_that_name_is_in_the_way(scene: Scene) -> None:
    scene.bucket.put("k/below", BytesSource(b""), NewObject())
    with pytest.raises(Conflict, match="directory"):
        scene.finish(ENTRY, force=True)


def test_another_client_creates_it_between_the_look_and_the_upload(scene: Scene) -> None:
    entry = replace(ENTRY, size=4, written=[(0, 4)])

    def intrude(operation: str, _key: str) -> None:
        if operation == "put":
            scene.bucket.before = None
            scene.put(b"theirs")

    scene.bucket.before = intrude
    with pytest.raises(Conflict):
        scene.finish(entry, b"ours")
    assert scene.content() == b"theirs"


def test_nothing_comes_of_a_key_outside_the_mounted_prefix(scene: Scene) -> None:
    scene.path.write_bytes(LARGE)
    fd = os.open(scene.path, os.O_RDWR)
    sender = UploadResumer(scene.bucket, scene.executor, lambda _: None)
    with pytest.raises(Conflict):
        FileFinisher(scene.bucket, Root("p/"), sender, force=True).finish(
            StagedContent(scene.path, fd, ENTRY, scene.notes.append)
        )
    os.close(fd)
    with pytest.raises(NotFound):
        scene.bucket.head("k")


@pytest.mark.parametrize("known", [True, False])
def test_an_edit_is_finished_where_no_part_can_be_copied(scene: Scene, *, known: bool) -> None:
    """Whether the bucket is known to copy none, or that is found when it is asked."""
    base = scene.put(LARGE)
    able, unable = Capabilities(), Capabilities(part_copies=False)
    scene.bucket._capabilities = unable if known else able

    def refuse(operation: str, _key: str) -> None:
        if operation == "copy_part":
            scene.bucket._capabilities = unable
            raise Unsupported("no parts are copied here")

    scene.bucket.before = refuse
    entry = replace(ENTRY, base_etag=base, base_size=len(LARGE), written=[(7, 8)])
    assert scene.finish(entry, b"-" * 7 + b"X" + b"-" * (len(LARGE) - 8))
    assert scene.content() == LARGE[:7] + b"X" + LARGE[8:]
    assert ("copy_part" in scene.operations()) is not known


def test_what_is_refused_otherwise_is_not_tried_twice(scene: Scene) -> None:
    def refuse(operation: str, _key: str) -> None:
        if operation == "start_upload":
            raise Unsupported("no uploads here")

    scene.bucket.before = refuse
    with pytest.raises(Unsupported):
        scene.finish(ENTRY)
    assert scene.operations().count("start_upload") == 1
