"""Mode, owner and times set by path; what is shown of what may not be looked at."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    NotADirectory,
    NotALink,
    NotExecutable,
    NotFound,
    TagfsError,
)
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.fs.tree.denials import Denials
from tagfs.store.bucket import Capabilities
from tagfs.store.objects import BytesSource, NewObject, ObjectType
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write

SECOND = 10**9


class Bucket(MemoryBucket):
    """Has a file in a directory without a marker, and refuses what a test names."""

    def __init__(self, **capabilities: bool) -> None:
        super().__init__(capabilities=Capabilities(**capabilities))
        self.put("d/f", BytesSource(b"content"), NewObject(tags=TagSet({"a": "b"})))
        self.refuses: dict[tuple[str, str], TagfsError] = {}
        self.before = self._refuse

    def _refuse(self, operation: str, key: str) -> None:
        if (failure := self.refuses.get((operation, key))) is not None:
            raise failure

    def metadata(self, key: str) -> dict[str, str]:
        detail = self.head(key).detail
        return dict(detail.metadata) if detail else {}


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def tree(bucket: Bucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


# Set


def test_attributes_of_a_file_are_metadata_and_its_tags_stay(
    tree: FileSystem, bucket: Bucket
) -> None:
    tree.chmod("/d/f", 0o640)
    tree.chown("/d/f", 7, -1)
    tree.utimens("/d/f", None, 5 * SECOND)
    seen = tree.getattr("/d/f")
    assert (seen["st_mode"], seen["st_uid"]) == (stat.S_IFREG | 0o640, 7)
    assert seen["st_mtime"] == 5 * SECOND
    assert bucket.metadata("d/f")["mtime"] == "5"
    assert bucket.get_tags("d/f") == {"a": "b"}
    assert bucket.get("d/f").data == b"content"


def test_a_directory_without_a_marker_gets_one(tree: FileSystem, bucket: Bucket) -> None:
    tree.chmod("/d", 0o700)
    assert tree.getattr("/d")["st_mode"] == stat.S_IFDIR | 0o700
    assert bucket.metadata("d/")["mode"] == str(stat.S_IFDIR | 0o700)


def test_a_marker_that_another_client_made_meanwhile_is_edited(
    tree: FileSystem, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(_path: str) -> None:
        bucket.put("d/", BytesSource(b""), NewObject(metadata={"theirs": "1"}))
        raise AlreadyExists("d/")

    monkeypatch.setattr(tree._edits._markers, "make", lose)
    tree.chmod("/d", 0o700)
    assert bucket.metadata("d/")["theirs"] == "1"
    assert bucket.metadata("d/")["mode"] == str(stat.S_IFDIR | 0o700)


def test_the_root_of_a_bucket_keeps_them_while_it_is_mounted(
    tree: FileSystem, bucket: Bucket
) -> None:
    tree.chmod("/", 0o700)
    tree.utimens("/", 3 * SECOND, 4 * SECOND)
    seen = tree.getattr("/")
    assert (seen["st_mode"], seen["st_mtime"]) == (stat.S_IFDIR | 0o700, 4 * SECOND)
    assert [info.key for info in bucket.list("", delimiter="").objects] == ["d/f"]


def test_those_of_an_open_file_travel_with_it(tree: FileSystem, bucket: Bucket) -> None:
    fh, _ = tree.open("/d/f", os.O_RDWR)
    tree.write(fh, 0, b"C")
    bucket.requests.clear()
    tree.chmod("/d/f", 0o600)
    assert bucket.requests == []
    assert tree.getattr("/d/f")["st_mode"] == stat.S_IFREG | 0o600
    tree.flush(fh)
    tree.release(fh)
    assert bucket.metadata("d/f")["mode"] == str(stat.S_IFREG | 0o600)


def test_with_attributes_of_the_listing_nothing_is_kept(
    bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`cp -p` must not fail for what no user asked for; the log says it once."""
    caplog.set_level("INFO")
    with tree_of(bucket, tmp_path, stored=False) as tree:
        before = tree.getattr("/d/f")
        tree.chmod("/d/f", 0o600)
        tree.chown("/d/f", 7, 7)
        assert tree.getattr("/d/f") == before
        with pytest.raises(NotFound):
            tree.chmod("/none", 0o600)
    assert [one.message for one in caplog.records if "attributes=listing" in one.message] == [
        "attributes=listing: mode, owner and times that tools set are not kept"
    ]
    assert bucket.metadata("d/f") == {}


def test_what_is_gone_gets_none(tree: FileSystem, bucket: Bucket) -> None:
    with pytest.raises(NotFound):
        tree.chmod("/none", 0o600)
    bucket.refuses["set_metadata", "d/f"] = AccessDenied("no")
    with pytest.raises(AccessDenied):
        tree.chmod("/d/f", 0o600)


# Shown


@pytest.mark.parametrize(("mode", "runs"), [(0o644, False), (0o755, True)])
def test_a_file_that_nobody_may_run_is_not_run(tree: FileSystem, mode: int, *, runs: bool) -> None:
    tree.chmod("/d/f", mode)
    tree.access("/d/f", os.R_OK)
    if runs:
        tree.access("/d/f", os.X_OK)
    else:
        with pytest.raises(NotExecutable):
            tree.access("/d/f", os.X_OK)
    tree.access("/d", os.X_OK)


def test_what_may_not_be_looked_at_is_shown_as_it_is_listed(
    tree: FileSystem, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """... and the log says it, once for each kind."""
    bucket.put("d/", BytesSource(b""), NewObject())
    for key in ("d/f", "d/"):
        bucket.refuses["head", key] = AccessDenied("no")
    for _ in range(2):
        assert tree.getattr("/d/f")["st_size"] == 7
        assert stat.S_ISDIR(tree.getattr("/d")["st_mode"])
    assert caplog.text.count("shown with default owner and mode") == 1


def test_a_key_pair_that_is_refused_is_no_denial(tree: FileSystem, bucket: Bucket) -> None:
    bucket.refuses["head", "d/f"] = BadCredentials("expired")
    with pytest.raises(BadCredentials):
        tree.getattr("/d/f")


def test_each_kind_of_refusal_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    denials = Denials()
    for what in ("one", "two", "one"):
        denials.pass_over(what, AccessDenied("no"))
    assert [one.levelname for one in caplog.records] == ["WARNING", "WARNING"]
    with pytest.raises(BadCredentials):
        denials.pass_over("one", BadCredentials("expired"))


def test_the_root_below_a_prefix_has_a_marker(bucket: Bucket, tmp_path: Path) -> None:
    with tree_of(bucket, tmp_path) as tree:
        object.__setattr__(tree._env, "root", replace(Root(), prefix="d/"))
        assert tree.getattr("/f")["st_size"] == 7
        tree.chmod("/", 0o700)
        assert tree.getattr("/")["st_mode"] == stat.S_IFDIR | 0o700
    assert bucket.metadata("d/")["mode"] == str(stat.S_IFDIR | 0o700)


def test_what_is_no_directory_holds_no_names(tree: FileSystem) -> None:
    with pytest.raises(NotADirectory):
        tree.tree.directory("/d/f")
    with pytest.raises(NotALink):
        tree.readlink("/d/f")
    with pytest.raises(NotALink):
        tree.readlink("/d")
    with pytest.raises(NotFound):
        tree.readlink("/none")


def test_types_are_listed_as_far_as_a_listing_shows_them(tree: FileSystem, bucket: Bucket) -> None:
    bucket.put("t/file", BytesSource(b"1"), NewObject())
    bucket.put("t/s/x", BytesSource(b""), NewObject())
    bucket.put("t/empty", BytesSource(b""), NewObject())
    tree.symlink("/t/link", "file")
    kinds = {name: kind for name, kind, _ in tree.readdir(tree.opendir("/t"))}
    assert (kinds["file"], kinds["s"], kinds["link"]) == (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    assert kinds["empty"] == 0  # it may be a fifo, or a link of another tool
    with pytest.raises(NotFound):
        tree.getattr("/t/none")


# Links


LINKS = {"objects": {}, "plain": {"symlinks": False}}


@pytest.fixture(params=LINKS)
def links(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[FileSystem, Bucket]]:
    bucket = Bucket(**LINKS[request.param])
    with tree_of(bucket, tmp_path) as tree:
        yield tree, bucket


@pytest.mark.parametrize("text", ["f", "../up", "/absolute", " blank ", "ü/é"])
@pytest.mark.parametrize("new", ["/d/other", "/elsewhere/deep/link"])
def test_a_link_keeps_its_text_and_its_tags_wherever_it_goes(
    links: tuple[FileSystem, Bucket], text: str, new: str
) -> None:
    tree, bucket = links
    tree.symlink("/d/link", text)
    bucket.put_tags("d/link", TagSet({"l": "1"}))
    tree.rename("/d/link", new)
    assert tree.readlink(new) == text
    assert bucket.get_tags(new[1:]) == {"l": "1"}
    with pytest.raises(NotFound):
        tree.getattr("/d/link")


@pytest.mark.parametrize("tagged", [False, True])
def test_a_link_over_a_file_keeps_the_tags_that_it_has_not(
    links: tuple[FileSystem, Bucket], *, tagged: bool
) -> None:
    tree, bucket = links
    tree.symlink("/d/link", "x")
    if tagged:
        bucket.put_tags("d/link", TagSet({"l": "1"}))
    write(tree, "/target")
    bucket.put_tags("target", TagSet({"t": "1"}))
    tree.rename("/d/link", "/target")
    assert tree.readlink("/target") == "x"
    assert bucket.get_tags("target") == ({"l": "1"} if tagged else {"t": "1"})


def test_a_link_made_by_another_tool_is_copied_as_the_file_that_it_is(
    tree: FileSystem, bucket: Bucket
) -> None:
    mode = str(stat.S_IFLNK | 0o777)
    bucket.put("d/s3fs", BytesSource(b"f"), NewObject(metadata={"mode": mode}))
    tree.rename("/d/s3fs", "/other")
    assert bucket.head("other").type is ObjectType.NORMAL
    assert tree.readlink("/other") == "f"


def test_a_link_is_shown_with_the_length_of_its_text(links: tuple[FileSystem, Bucket]) -> None:
    tree, _ = links
    tree.symlink("/d/link", "../ü")
    seen = tree.getattr("/d/link")
    assert (stat.S_ISLNK(seen["st_mode"]), seen["st_size"]) == (True, 5)


def test_a_bucket_that_keeps_no_metadata_has_no_plain_links(tmp_path: Path) -> None:
    bucket = Bucket(symlinks=False, metadata=False)
    with tree_of(bucket, tmp_path) as tree, pytest.raises(TagfsError):
        tree.symlink("/link", "x")
    assert [info.key for info in bucket.list("").objects] == []
