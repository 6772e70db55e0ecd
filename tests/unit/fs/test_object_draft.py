"""What an open file's object is to carry: a value, and what an upload makes of it."""

import stat
from dataclasses import replace

import pytest

from tagfs.fs.mapping.inheritance import Inherited
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.object_draft import ObjectDraft, is_named_by
from tagfs.store.objects import Detail, Keep, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet

SECOND = 10**9
MADE = Attributes(
    mode=stat.S_IFREG | 0o640,
    uid=1,
    gid=2,
    mtime_ns=5 * SECOND,
    ctime_ns=5 * SECOND,
    atime_ns=5 * SECOND,
)
DRAFT = ObjectDraft(attributes=MADE, metadata={"team": "blue"}, headers={"content-type": "x/y"})
TIMES = {"mtime", "ctime", "mtime-size"}
BLUE = TagSet({"colour": "blue"})


def version(kind: ObjectType = ObjectType.NORMAL, **metadata: str) -> ObjectInfo:
    detail = Detail(metadata=metadata, headers={"cache-control": "no-store"})
    return ObjectInfo(key="k", size=9, etag="e", last_modified_ns=0, type=kind, detail=detail)


def test_what_an_object_has_is_taken_over() -> None:
    draft = DRAFT.adopting(version(mode="33152", mtime="7", cost="low"), MADE)
    assert draft.attributes.mode == 0o100600
    assert draft.attributes.mtime_ns == 7 * SECOND
    assert draft.metadata == {"cost": "low"}
    assert draft.headers == {"cache-control": "no-store"}
    assert DRAFT.adopting(replace(version(), detail=None), MADE) is DRAFT


@pytest.mark.parametrize(
    ("own", "left", "expected"),
    [
        (None, None, None),
        (None, BLUE, BLUE),
        (NO_TAGS, BLUE, NO_TAGS),
        (TagSet({"a": "1"}), BLUE, TagSet({"a": "1"})),
    ],
)
def test_what_it_does_not_bring_itself_is_left_to_it(
    own: TagSet | None, left: TagSet | None, expected: TagSet | None
) -> None:
    acl = {"grant": "x"}
    left_over = Inherited(tags=left, acl=acl, metadata={"cost": "low"}, headers={"expires": "0"})
    bare = replace(DRAFT, metadata={}, tags=own)
    draft = bare.inheriting(left_over, "/a", "/b", typed=False)
    assert draft.tags == expected
    assert draft.acl == acl
    assert draft.metadata == {"cost": "low"}
    assert draft.headers["expires"] == "0"
    assert DRAFT.inheriting(left_over, "/a", "/b", typed=False).metadata == {"team": "blue"}


@pytest.mark.parametrize(
    ("atime_ns", "is_new", "expected"),
    [
        (5 * SECOND, True, 9 * SECOND),  # as old as the file: nobody set it
        (3 * SECOND, True, 3 * SECOND),
        (5 * SECOND, False, 5 * SECOND),
    ],
)
def test_a_write_moves_the_times(atime_ns: int, expected: int, *, is_new: bool) -> None:
    before = replace(DRAFT, attributes=replace(MADE, atime_ns=atime_ns), times_set=True)
    after = before.written(9 * SECOND, is_new=is_new)
    assert after.attributes.mtime_ns == after.attributes.ctime_ns == 9 * SECOND
    assert after.attributes.atime_ns == expected
    assert not after.times_set


def test_what_made_a_file_is_over_with_its_upload() -> None:
    made = replace(DRAFT, tags=BLUE, acl={}, replaces=version(), exclusive=True)
    assert made.uploaded(DRAFT.attributes) == DRAFT


class TestTarget:
    """What travels with the content."""

    def test_a_new_file_asks_for_no_tags(self) -> None:
        to = DRAFT.to_target("k", None, 3, stored=True, appendable=False)
        assert (to.new.tags, to.new.exclusive, to.exclusive) == (NO_TAGS, True, False)
        assert to.kept is Keep.REPLACED
        assert to.streamed.tags is Keep.REPLACED  # the key may be taken until its upload ends
        assert not to.streamed.exclusive

    def test_an_exclusive_one_keeps_nobody_s(self) -> None:
        draft = replace(DRAFT, exclusive=True, tags=BLUE)
        to = draft.to_target("k", None, 3, stored=True, appendable=False)
        assert to.streamed.exclusive
        assert to.new.exclusive
        assert to.exclusive
        assert to.new.tags == to.streamed.tags == to.kept == BLUE

    @pytest.mark.parametrize("renamed_over", [True, False])
    def test_what_is_replaced_keeps_its_tags(self, *, renamed_over: bool) -> None:
        draft = replace(DRAFT, replaces=version() if renamed_over else None)
        base = None if renamed_over else version()
        to = draft.to_target("k", base, 3, stored=True, appendable=False)
        assert to.new.tags is to.streamed.tags is to.new.acl is Keep.REPLACED
        assert not to.new.exclusive
        assert (to.base, to.replaced) == (base, draft.replaces)

    @pytest.mark.parametrize("times_set", [True, False])
    def test_times_that_nobody_set_come_from_the_end_of_the_upload(
        self, *, times_set: bool
    ) -> None:
        draft = replace(DRAFT, times_set=times_set)
        to = draft.to_target("k", None, 3, stored=True, appendable=False)
        assert to.new.metadata.keys() >= {"mtime", "mode", "team"}
        assert (to.new.metadata == to.streamed.metadata) is times_set
        assert times_set or not TIMES & to.streamed.metadata.keys()

    def test_the_size_of_an_appendable_object_shows_how_old_its_times_are(self) -> None:
        old = version(ObjectType.APPENDABLE)
        for base, appendable, reported in (
            (old, False, "3"),
            (None, True, "3"),
            (None, False, None),
        ):
            to = DRAFT.to_target("k", base, 3, stored=True, appendable=appendable)
            assert to.new.metadata.get("mtime-size") == reported

    def test_what_is_not_kept_here_is_not_thrown_away(self) -> None:
        base = version(mode="33152", uid="7", mtime="1", cost="low")
        to = DRAFT.to_target("k", base, 3, stored=False, appendable=False)
        assert to.new.metadata == {"team": "blue", "mode": "33152", "uid": "7"}
        assert to.streamed == to.new


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("", "/x.log", False),
        ("*.log", "/d/x.log", True),
        ("*.log", "/d/x.txt", False),
        ("d/*.log", "/d/x.log", True),
        ("d/*.log", "/e/x.log", False),
    ],
)
def test_names_of_files_to_append_to(pattern: str, path: str, *, named: bool) -> None:
    assert is_named_by(pattern, path) is named
