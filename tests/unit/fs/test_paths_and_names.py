"""Paths and keys, texts of links, names of xattrs, attributes: there and back again."""

import stat

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from tagfs.errors import InvalidName, NameTooLong
from tagfs.fs.mapping.link_targets import (
    UNRESOLVABLE,
    link_metadata,
    read_text,
    render_text,
    to_target,
)
from tagfs.fs.mapping.paths import Root, is_visible, join, split
from tagfs.fs.mapping.posix_metadata import (
    Attributes,
    parse_attributes,
    parse_mode,
    parse_time,
    render_time,
)
from tagfs.fs.mapping.xattr_names import XattrKind, parse_name, tag_name
from tagfs.store.objects import Detail, ObjectInfo, ObjectType

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = text.filter(lambda t: "/" not in t and is_visible(t)) | st.sampled_from(["a", "b"])
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
keys = paths.map(lambda path: path[1:])
link_texts = st.one_of(
    text.filter(bool),
    st.lists(st.sampled_from(["a", "b", ".", "..", "", "é"]), min_size=1).map("/".join),
).filter(bool)


class TestPaths:
    @given(paths, st.sampled_from(["", "p/", "p/q/"]))
    def test_there_and_back(self, path: str, prefix: str) -> None:
        root = Root(prefix)
        assert root.to_path(root.to_key(path)) == path
        assert root.to_path(root.to_prefix(path)) == path
        assert join(*split(path)) == path

    @given(st.lists(st.sampled_from(["a", "", ".", "..", "x" * 256, "é" * 128]), min_size=1))
    def test_keys_that_can_be_no_file(self, parts: list[str]) -> None:
        assume(any(part != "a" for part in parts[:-1]) or parts[-1] not in ("a", ""))
        assert Root().to_path("/".join(parts)) is None

    def test_limits(self) -> None:
        with pytest.raises(NameTooLong):
            Root().to_key("/" + "é" * 128)
        with pytest.raises(NameTooLong):
            Root().to_key("/" + "/".join(["x" * 200] * 6))
        with pytest.raises(InvalidName):
            Root().to_key("/\udc80")


class TestLinks:
    @given(keys, link_texts)
    def test_readlink_gives_what_symlink_was_given(self, key: str, given_text: str) -> None:
        """L2. byte for byte."""
        target = to_target(key, given_text)
        assert read_text(key, target, link_metadata(key, given_text)) == given_text

    @given(keys, keys)
    def test_links_of_others_have_their_target(self, key: str, target: str) -> None:
        assume(target != UNRESOLVABLE)
        assert to_target(key, read_text(key, target, {})) == target

    def test_a_text_that_no_longer_leads_there_is_not_believed(self) -> None:
        metadata = {"symlink-target": render_text("./old")}
        assert read_text("d/l", "d/old", metadata) == "./old"
        assert read_text("d/l", "d/new", metadata) == "new"


class TestXattrs:
    @given(text, st.booleans(), st.booleans())
    def test_a_listed_name_is_that_tag(self, key: str, on_link: bool, of_bucket: bool) -> None:  # noqa: FBT001
        name = tag_name(key, on_link=on_link, of_bucket=of_bucket)
        if name is None:
            assert not key or len(key.encode()) > 200
            return
        parsed = parse_name(name)
        assert parsed.kind is (XattrKind.BUCKET_TAG if of_bucket else XattrKind.TAG)
        assert parsed.rest == key

    @given(text)
    def test_every_name_stands_for_something(self, name: str) -> None:
        for prefix in ("", "user.", "user.meta.", "user.object.", "system.", "security."):
            assert parse_name(prefix + name).kind in XattrKind


def described(**metadata: str) -> ObjectInfo:
    return ObjectInfo(
        key="f",
        size=3,
        etag="e",
        last_modified_ns=5 * 10**9 + 1,
        type=ObjectType.NORMAL,
        detail=Detail(metadata=metadata),
    )


DEFAULT = Attributes(mode=stat.S_IFREG | 0o644, uid=7, gid=8, mtime_ns=1, ctime_ns=2, atime_ns=3)
times = st.integers(-(10**18), 4 * 10**18)


class TestAttributes:
    @given(
        st.builds(
            Attributes,
            mode=st.integers(0, 0o7777).map(lambda mode: mode | stat.S_IFREG),
            uid=st.integers(0, 2**32 - 1),
            gid=st.integers(0, 2**32 - 1),
            mtime_ns=times,
            ctime_ns=st.integers(0, 4 * 10**18),
            atime_ns=times,
            rdev=st.integers(0, 2**32),
        )
    )
    def test_there_and_back(self, attributes: Attributes) -> None:
        assert parse_attributes(described(**attributes.render()), DEFAULT) == attributes

    @given(times)
    def test_times(self, time_ns: int) -> None:
        assert parse_time(render_time(time_ns)) == time_ns

    @given(st.text())
    def test_whatever_is_stored_something_is_shown(self, value: str) -> None:
        names = ("mode", "uid", "gid", "mtime", "ctime", "atime", "rdev")
        shown = parse_attributes(described(**dict.fromkeys(names, value)), DEFAULT)
        assert 0 <= shown.mode <= 0o177777

    @pytest.mark.parametrize(
        ("stored", "mode"),
        [("33188", 0o100644), ("0100644", 0o100644), ("420", 0o644), ("0644", 0o644)],
    )
    def test_modes_of_others(self, stored: str, mode: int) -> None:
        assert parse_mode(stored) == mode

    @pytest.mark.parametrize(
        ("stored", "time_ns"),
        [
            ("1500000000", 1_500_000_000 * 10**9),
            ("1500000000.5", 1_500_000_000_500_000_000),
            ("1500000000.123456789", 1_500_000_000_123_456_789),
            ("2017-07-14T02:40:00Z", 1_500_000_000 * 10**9),
            ("2017-07-14T02:40:00.5+00:00", 1_500_000_000_500_000_000),
            ("-1.5", -500_000_000),
            ("yesterday", None),
        ],
    )
    def test_times_of_others(self, stored: str, time_ns: int | None) -> None:
        assert parse_time(stored) == time_ns

    def test_what_is_not_stored_is_the_mount_s(self) -> None:
        shown = parse_attributes(described(mode="33261"), DEFAULT)
        assert (shown.mode, shown.uid, shown.gid) == (0o100755, 7, 8)
        assert shown.mtime_ns == 5 * 10**9
