"""What is uploaded when another client has made the same thing, and what becomes of the note."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import AlreadyExists, NotFound
from tagfs.fs.content.journal import Journal
from tagfs.fs.content.journal_entries import FileEntry
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.fs.openfiles.commit import Committer
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.pending.threads import ChangeThreads
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

OURS = NewObject(
    metadata={"mode": "16877", "team": "blue"},
    headers={"content-type": "x/ours"},
    tags=NO_TAGS,
    exclusive=True,
)
THEIRS = NewObject(
    metadata={"mode": "16832", "cost": "low"},
    headers={"content-type": "x/theirs"},
    tags=TagSet({"a": "theirs", "b": "theirs"}),
)


class Kit:
    """A committer of one empty file, and the bucket that it commits to."""

    def __init__(self, staging: Path, executor: ThreadPoolExecutor) -> None:
        self.bucket = MemoryBucket()
        env = environment_of(self.bucket, staging, executor)
        self.pending = PendingChanges(env.clock, ChangeThreads(1))
        self.committer = Committer(env, Journal(self.pending, env.clock), lambda: None)
        self.staged: StagedFile = env.staging.new_file()

    def to(self, key: str, tags: TagSet | None = None, *, exclusive: bool = True) -> UploadTarget:
        new = OURS if tags is None else replace(OURS, tags=tags)
        to = UploadTarget(key=key, new=new, base=None, exclusive=exclusive)
        return to if tags is None else replace(to, kept=tags)

    def found(self, key: str) -> tuple[dict[str, str], dict[str, str]]:
        detail = self.bucket.head(key).detail
        assert detail is not None
        return dict(detail.metadata), dict(self.bucket.get_tags(key))


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    with ThreadPoolExecutor(1) as executor:
        kit = Kit(tmp_path, executor)
        yield kit
        kit.staged.discard()
        kit.pending.close()


def fetch(_start: int, _length: int) -> bytes:
    raise NotFound("nothing to fetch")


@pytest.mark.parametrize("edited", [True, False])
@pytest.mark.parametrize("tags", [None, NO_TAGS, TagSet({"b": "ours"})])
def test_a_directory_that_both_have_made_is_theirs_with_what_was_set_here(
    kit: Kit, tags: TagSet | None, *, edited: bool
) -> None:
    kit.bucket.put("d/", BytesSource(b""), THEIRS)
    info = kit.committer.upload_marker(kit.staged, kit.to("d/", tags), fetch, edited=edited)
    metadata, found = kit.found("d/")
    assert found == {"a": "theirs", "b": "ours" if tags else "theirs"}
    mode = {"mode": "16877", "team": "blue"} if edited else {"mode": "16832"}
    assert metadata == {"cost": "low", **mode}
    assert info.detail is not None
    assert info.detail.headers == {"content-type": "x/theirs"}


def test_a_directory_that_nobody_else_has_made_is_ours(kit: Kit) -> None:
    kit.committer.upload_marker(kit.staged, kit.to("d/", TagSet({"b": "1"})), fetch, edited=False)
    assert kit.found("d/") == (dict(OURS.metadata), {"b": "1"})


def test_an_exclusive_file_replaces_nothing(kit: Kit) -> None:
    kit.bucket.put("f", BytesSource(b"theirs"), THEIRS)
    with pytest.raises(AlreadyExists):
        kit.committer.upload(kit.staged, kit.to("f"), fetch)
    assert kit.bucket.get("f").data == b"theirs"


def test_one_that_is_not_replaces_it_and_keeps_what_it_has_not_brought(kit: Kit) -> None:
    kit.bucket.put("f", BytesSource(b"theirs"), THEIRS)
    kit.committer.upload(kit.staged, kit.to("f", exclusive=False), fetch)
    assert kit.bucket.get("f").data == b""
    metadata, tags = kit.found("f")
    assert (metadata, tags) == (dict(OURS.metadata), {"a": "theirs", "b": "theirs"})


def test_the_note_is_there_from_the_promise_until_the_service_has_it(kit: Kit) -> None:
    note = kit.staged.path.with_suffix(".json")
    kit.committer.rewrite_entry(kit.staged, kit.to("f"), unlinked=False)
    assert not note.exists()  # nothing was promised
    kit.committer.journal_commit(kit.staged, kit.to("f"))
    first = note.read_text()
    kit.committer.journal_commit(kit.staged, kit.to("g"))
    assert note.read_text() == first  # it says what is to be said
    kit.committer.rewrite_entry(kit.staged, kit.to("g"), unlinked=False)
    assert '"key": "g"' in note.read_text()
    kit.committer.finish(kit.staged)
    assert not note.exists()


def test_a_note_that_says_the_same_is_not_written_again(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename notes the new name before it, and again after it."""
    written: list[str] = []
    write = Journal.write

    def noting(journal: Journal, staged: StagedFile, entry: FileEntry) -> None:
        written.append(entry.key)
        write(journal, staged, entry)

    monkeypatch.setattr(Journal, "write", noting)
    kit.committer.journal_commit(kit.staged, kit.to("f"))
    for _ in range(2):
        kit.committer.rewrite_entry(kit.staged, kit.to("g"), unlinked=False)
    assert written == ["f", "g"]
    kit.committer.mark_stale()
    kit.committer.journal_commit(kit.staged, kit.to("g"))
    assert written == ["f", "g", "g"], "other content is to survive a power cut as well"
