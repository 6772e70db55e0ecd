"""A mount of some objects (`-o only=`): what each call does where a hidden file is in the way.

Whatever it is: hidden files are afterwards what they were, and what was made is seen.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.filtered_bucket import FilteredBucket
from tagfs.errors import AlreadyExists, IsADirectory, NotEmpty, NotFound, NotShown, TagfsError
from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Capabilities
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, ObjectType, Source
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write
from tests.waiting import wait_for

HELD = TagSet({"retention": "10y"})
BLUE = TagSet({"team": "blue"})
FILES = {
    "hidden": HELD,
    "other": HELD,
    "shown": NO_TAGS,
    "blue": BLUE,
    "mixed/hidden": HELD,
    "mixed/shown": NO_TAGS,
    "secret/hidden": HELD,
    "clear/shown": BLUE,
}


@dataclass
class Rig:
    """A bucket, and a tree that shows what is not held."""

    bucket: MemoryBucket
    tree: FileSystem
    before: dict[str, tuple[bytes, TagSet]] = field(default_factory=dict)

    def all(self) -> dict[str, tuple[bytes, TagSet]]:
        """Return content and tags of every object."""
        objects = self.bucket.list("", delimiter="").objects
        return {
            info.key: (
                b"" if info.type is ObjectType.SYMLINK else self.bucket.get(info.key).data,
                self.bucket.get_tags(info.key),
            )
            for info in objects
        }

    def hide(self, key: str) -> None:
        """Tag an object so that it does not match, as another client does."""
        self.bucket.put_tags(key, HELD)
        self.before[key] = (self.bucket.get(key).data, HELD)

    def foreign(self, key: str, tags: TagSet) -> None:
        """Put an object, as another client does."""
        self.bucket.put(key, BytesSource(key.encode()), NewObject(tags=tags))
        self.before[key] = (key.encode(), tags)

    def check_hidden(self) -> None:
        """What was hidden is what it was; and nothing else is hidden."""
        now = self.all()
        assert {k: v for k, v in now.items() if v[1] == HELD} == {
            key: one for key, one in self.before.items() if one[1] == HELD
        }


@pytest.fixture(params=[Capabilities(), Capabilities(exclusive=False, exclusive_copies=False)])
def bucket(request: pytest.FixtureRequest) -> MemoryBucket:
    return filled(request.param)


def filled(capabilities: Capabilities) -> MemoryBucket:
    made = MemoryBucket(capabilities=capabilities)
    for key in ("mixed/", "secret/", "clear/", "empty/"):
        made.put(key, BytesSource(b""), NewObject(tags=NO_TAGS))
    for key, tags in FILES.items():
        made.put(key, BytesSource(key.encode()), NewObject(tags=tags))
    return made


@pytest.fixture
def rig(bucket: MemoryBucket, tmp_path: Path) -> Iterator[Rig]:
    with rig_of(bucket, tmp_path, "not retention") as rig:
        yield rig


@contextmanager
def rig_of(bucket: MemoryBucket, path: Path, text: str, **choices: Any) -> Iterator[Rig]:
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60)
    only = FilteredBucket(cache, parse_expression(text), None)
    with tree_of(only, path, scope=only, **choices) as tree:
        rig = Rig(bucket, tree)
        rig.before = rig.all()
        yield rig


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second be over for which an answer counts as having asked."""
    monkeypatch.setattr("tagfs.catalogue.matcher.FRESH_WITHIN", 0)


def rewrite(tree: FileSystem, path: str) -> None:
    fh, _ = tree.open(path, os.O_WRONLY)
    try:
        tree.write(fh, 0, b"changed" * 10)
        tree.flush(fh)
    finally:
        tree.release(fh)


def look(tree: FileSystem, path: str) -> None:
    tree.getattr(path)
    fh, _ = tree.open(path, os.O_RDONLY)
    assert tree.read(fh, 0, 100) == path[1:].encode()
    tree.release(fh)


Call = Callable[[FileSystem, str], object]
MAKES: dict[str, tuple[Call, type[TagfsError]]] = {
    "create": (lambda t, p: write(t, p, flags=0), NotShown),
    "create O_TRUNC": (lambda t, p: write(t, p, flags=os.O_TRUNC), NotShown),
    "create O_EXCL": (lambda t, p: write(t, p, flags=os.O_EXCL), AlreadyExists),
    "mkdir": (lambda t, p: t.mkdir(p, 0o755), AlreadyExists),
    "mknod": (lambda t, p: t.mknod(p, stat.S_IFIFO | 0o600, 0), AlreadyExists),
    "symlink": (lambda t, p: t.symlink(p, "x"), AlreadyExists),
    "rename a file": (lambda t, p: t.rename("/shown", p), NotShown),
    "rename a file RENAME_NOREPLACE": (
        lambda t, p: t.rename("/shown", p, exclusive=True),
        AlreadyExists,
    ),
    "rename a directory": (lambda t, p: t.rename("/clear", p), NotShown),
}
"""What makes a name, and what it says where a hidden file has that."""


@pytest.mark.parametrize("call", MAKES)
@pytest.mark.parametrize("looked", [False, True])
def test_nothing_is_made_over_a_hidden_file(rig: Rig, call: str, *, looked: bool) -> None:
    make, refusal = MAKES[call]
    if looked:  # as the kernel does
        with pytest.raises(NotFound):
            rig.tree.getattr("/hidden")
    with pytest.raises(refusal):
        make(rig.tree, "/hidden")
    assert rig.all() == rig.before
    make(rig.tree, "/free")
    rig.tree.getattr("/free")
    rig.check_hidden()


USES: dict[str, Call] = {
    "look": look,
    "write": rewrite,
    "truncate": lambda t, p: t.truncate(p, 0),
    "unlink": lambda t, p: t.unlink(p),
    "rename": lambda t, p: t.rename(p, "/free"),
    "rename over": lambda t, p: t.rename(p, "/blue"),
    "chmod": lambda t, p: t.chmod(p, 0o600),
    "chown": lambda t, p: t.chown(p, 5, 5),
    "utimens": lambda t, p: t.utimens(p, 1, 1),
    "setxattr tag": lambda t, p: t.setxattr(p, "user.tag.n", b"1", 0),
    "setxattr tagging": lambda t, p: t.setxattr(p, "user.tagging", b"n=1", 0),
    "setxattr meta": lambda t, p: t.setxattr(p, "user.meta.n", b"1", 0),
    "listxattr": lambda t, p: t.listxattr(p),
}
"""What uses a file that is there. A hidden one is not."""


@pytest.mark.parametrize("call", USES)
def test_what_is_shown_can_be_used_and_what_is_not_is_not_there(rig: Rig, call: str) -> None:
    use = USES[call]
    with pytest.raises(NotFound):
        use(rig.tree, "/other")
    assert rig.all() == rig.before
    use(rig.tree, "/shown")
    rig.check_hidden()


CHANGES = [name for name in USES if name not in ("look", "listxattr")]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", CHANGES)
def test_what_is_hidden_by_another_client_meanwhile_stays(rig: Rig, call: str) -> None:
    """What is remembered does for a look; before a change the tags are read anew."""
    look(rig.tree, "/shown")
    rig.hide("shown")
    use = USES[call]
    with pytest.raises((NotFound, NotShown)):
        use(rig.tree, "/shown")
    assert rig.all() == rig.before
    rig.before.pop("shown")


@pytest.mark.parametrize("path", ["/mixed", "/secret"])
def test_a_directory_with_hidden_files_is_not_empty(
    rig: Rig, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`rm -r` takes away what it sees."""
    for name, _, _ in list(rig.tree.readdir(rig.tree.opendir(path))):
        if name == "shown":
            rig.tree.unlink(f"{path}/{name}")
    with pytest.raises(NotEmpty):
        rig.tree.rmdir(path)
    assert "is not empty, though it looks so" in caplog.text
    caplog.clear()
    with pytest.raises(NotEmpty):
        rig.tree.rename("/clear", path)
    rig.check_hidden()
    rig.tree.getattr(path)


def test_an_implicit_directory_stays_while_hidden_files_are_in_it(rig: Rig) -> None:
    rig.bucket.delete("mixed/")
    rig.tree.unlink("/mixed/shown")
    assert stat.S_ISDIR(rig.tree.getattr("/mixed")["st_mode"])
    with pytest.raises(NotEmpty):
        rig.tree.rmdir("/mixed")
    rig.check_hidden()


@pytest.mark.parametrize("path", ["/mixed", "/secret"])
def test_a_directory_with_hidden_files_is_not_moved(rig: Rig, path: str) -> None:
    with pytest.raises(NotShown):
        rig.tree.rename(path, "/free")
    assert rig.all() == rig.before


def test_a_directory_without_hidden_files_is_moved(rig: Rig) -> None:
    rig.tree.rename("/clear", "/mixed/clear")
    look_at = rig.all()
    assert look_at["mixed/clear/shown"] == (b"clear/shown", BLUE)
    assert "clear/shown" not in look_at
    rig.check_hidden()


def test_tags_that_hide_a_file_are_not_set(rig: Rig) -> None:
    """It would be gone under the hands of who has it open, and could not be brought back."""
    for name, value in (("user.tag.retention", b"1y"), ("user.tagging", b"retention=1&n=2")):
        with pytest.raises(NotShown):
            rig.tree.setxattr("/shown", name, value, 0)
    fh = rig.tree.create("/new", 0o600, os.O_WRONLY)
    with pytest.raises(NotShown):
        rig.tree.setxattr("/new", "user.tag.retention", b"1y", 0)
    rig.tree.setxattr("/new", "user.tag.team", b"blue", 0)
    rig.tree.flush(fh)
    rig.tree.release(fh)
    assert rig.bucket.get_tags("new") == BLUE
    rig.tree.setxattr("/clear", "user.tag.retention", b"1y", 0)  # directories are always shown
    assert stat.S_ISDIR(rig.tree.getattr("/clear")["st_mode"])
    assert rig.all() == {
        **rig.before,
        "clear/": (b"", TagSet({"retention": "1y"})),
        "new": (b"", BLUE),
    }


def test_tags_that_show_a_file_are_not_taken_away(bucket: MemoryBucket, tmp_path: Path) -> None:
    with rig_of(bucket, tmp_path, "team=blue") as rig:
        with pytest.raises(NotShown):
            rig.tree.removexattr("/blue", "user.tag.team")
        with pytest.raises(NotShown):
            rig.tree.removexattr("/blue", "user.tagging")
        assert rig.all() == rig.before
        rig.tree.setxattr("/blue", "user.tag.cost", b"42", 0)
        rig.tree.removexattr("/blue", "user.tag.cost")
        assert rig.all() == rig.before


OPENS: dict[str, Call] = {
    "create": lambda t, p: t.create(p, 0o600, os.O_WRONLY),
    "create O_EXCL": lambda t, p: t.create(p, 0o600, os.O_WRONLY | os.O_EXCL),
}


@pytest.mark.parametrize("call", [*OPENS, "mknod", "symlink"])
def test_what_would_not_match_is_not_made(bucket: MemoryBucket, tmp_path: Path, call: str) -> None:
    """Refused when it is opened, before anything is written."""
    with rig_of(bucket, tmp_path, "team=blue") as rig:
        with pytest.raises(NotShown):
            OPENS.get(call, MAKES[call][0])(rig.tree, "/free")
        with pytest.raises(NotFound):
            rig.tree.getattr("/free")
        assert rig.all() == rig.before
        bucket.default_tags = BLUE  # which a client sends with every write
        rig.tree.mkdir("/made", 0o755)


def test_default_tags_that_match_let_files_be_made(bucket: MemoryBucket, tmp_path: Path) -> None:
    bucket.default_tags = BLUE
    put = bucket.put

    def with_defaults(key: str, source: Source, new: NewObject) -> ObjectInfo:
        assert new.tags in (NO_TAGS, BLUE)
        return put(key, source, NewObject(metadata=new.metadata, tags=BLUE))

    bucket.put = with_defaults  # type: ignore[method-assign]
    with rig_of(bucket, tmp_path, "team=blue") as rig:
        write(rig.tree, "/free")
        write(rig.tree, "/clear/free")
        rewrite(rig.tree, "/free")
        assert rig.bucket.get_tags("free") == BLUE
        names = [name for name, _, _ in rig.tree.readdir(rig.tree.opendir("/clear"))]
        assert names[2:] == ["free", "shown"]
        with pytest.raises(NotShown):
            write(rig.tree, "/shown", flags=0)  # untagged, so it is hidden here
        rig.check_hidden()


def test_saving_as_editors_do(bucket: MemoryBucket, tmp_path: Path) -> None:
    """The new file has the tags of the one that it takes the place of: so it is seen."""
    with rig_of(bucket, tmp_path, "team=blue") as rig:
        rig.tree.rename("/blue", "/blue~")
        write(rig.tree, "/blue", b"edited", os.O_EXCL)
        assert rig.all()["blue"] == (b"edited", BLUE)
        assert rig.all()["blue~"] == (b"blue", BLUE)
        rig.check_hidden()


@pytest.mark.usefixtures("impatient")
def test_a_file_that_another_client_makes_and_hides_meanwhile_stays(
    rig: Rig,
) -> None:
    """It is met by the upload alone; the content is kept for `tagfs recover`."""
    fh = rig.tree.create("/new", 0o600, os.O_WRONLY)
    rig.tree.write(fh, 0, b"mine")
    rig.foreign("new", HELD)
    with pytest.raises(NotShown):
        rig.tree.flush(fh)
    rig.tree.release(fh)
    assert rig.all() == rig.before
    with pytest.raises(NotFound):
        rig.tree.getattr("/new")


@pytest.mark.usefixtures("impatient")
def test_the_same_of_a_file_whose_close_was_answered(
    bucket: MemoryBucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with rig_of(bucket, tmp_path, "not retention", uploads_behind=2) as rig:
        fh = rig.tree.create("/new", 0o600, os.O_WRONLY)
        rig.tree.write(fh, 0, b"mine")
        rig.foreign("new", HELD)
        rig.tree.flush(fh)
        rig.tree.release(fh)
        wait_for(lambda: not rig.tree.state()["held_files"])
        assert rig.all() == rig.before
    assert "not shown here" in caplog.text
    caplog.clear()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("size", [9 * 1024**2])
def test_large_files_are_written_in_parts(rig: Rig, size: int) -> None:
    fh = rig.tree.create("/large", 0o600, os.O_WRONLY)
    rig.tree.write(fh, 0, b"x" * size)
    rig.tree.flush(fh)
    assert len(rig.all()["large"][0]) == size
    rig.tree.write(fh, 0, b"y" * size)
    rig.hide("large")
    rig.bucket.delete("large")
    rig.foreign("large", HELD)
    with pytest.raises(NotShown):
        rig.tree.flush(fh)
    rig.tree.release(fh)
    rig.check_hidden()


def test_a_directory_at_a_hidden_name(rig: Rig) -> None:
    """Where there are keys below, the directory is there for everybody."""
    rig.foreign("hidden/x", NO_TAGS)
    assert stat.S_ISDIR(rig.tree.getattr("/hidden")["st_mode"])
    with pytest.raises((IsADirectory, AlreadyExists, NotEmpty)):
        rig.tree.rename("/shown", "/hidden")
    rig.check_hidden()


COSTS = {
    "create": (lambda t: write(t, "/mixed/new"), ["put"]),
    "overwrite": (lambda t: rewrite(t, "/mixed/shown"), ["head", "put"]),
    "unlink": (lambda t: t.unlink("/mixed/shown"), ["delete"]),
    "setxattr": (
        lambda t: t.setxattr("/mixed/shown", "user.tag.n", b"1", 0),
        ["get_tags", "put_tags"],
    ),
    "rename": (lambda t: t.rename("/mixed/shown", "/mixed/new"), ["copy", "delete"]),
}


@pytest.mark.parametrize("call", COSTS)
def test_what_a_change_costs(tmp_path: Path, call: str) -> None:
    """No more than without `only`, where the tags were read within a second."""
    change, wanted = COSTS[call]
    with rig_of(filled(Capabilities()), tmp_path, "not retention", stored=False) as rig:
        list(rig.tree.readdir(rig.tree.opendir("/mixed")))
        rig.bucket.requests.clear()
        change(rig.tree)
        made = [one.operation for one in rig.bucket.requests]
        assert sorted(made) == sorted(wanted)
