"""getfattr's dump format, with the real getfattr and setfattr as judges."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tagfs.bulk.getfattr_format import Block, read_blocks, read_value, render_block, render_value
from tagfs.errors import InvalidTag, SettingsError
from tagfs.store.tags import TagSet

NAMES = [
    "plain", " sp ace ", "new\nline", "cr\rx", "中文", "back\\slash", "eq=sign", "tab\tx",
    "hash#x", 'quo"te', "\\134", "# file: x", "emoji😀",
]  # fmt: skip
VALUES = [
    "", "v", 'a"b\\c', "中文", "a\nb\rc\td", "long enough that a\nbreak is text", " x ", "0x12",
    "0sabc", "\\012", '"', '""', "a 中 in much plain ASCII text, so that it is text",
]  # fmt: skip
KEYS = ["k", "中", "a=b", "sp ace", "n\nl", "b\\s", ".", "a/b:c+d-e_f"]


def read(data: bytes) -> list[Block]:
    return list(read_blocks(data.splitlines(keepends=True)))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "f").touch()
    try:
        os.setxattr(tmp_path / "f", "user.probe", b"1")
    except OSError:
        pytest.skip("no user.* attributes on the local file system")
    (tmp_path / "f").unlink()
    return tmp_path


def test_written_as_getfattr_writes_it(files: Path) -> None:
    for number, name in enumerate(NAMES):
        (files / name).touch()
        tags = {key: VALUES[(number + i) % len(VALUES)] for i, key in enumerate(KEYS)}
        for key, value in tags.items():
            os.setxattr(files / name, f"user.tag.{key}", value.encode())
        command = ["getfattr", "-d", "--", name]
        theirs = subprocess.run(command, cwd=files, capture_output=True, check=True).stdout
        assert render_block(name, tags) == theirs
        assert read(theirs) == [Block(name, TagSet(tags), line=1)]


def test_setfattr_takes_it(files: Path) -> None:
    dump = b""
    for name in NAMES:
        (files / name).touch()
        dump += render_block(name, dict(zip(KEYS, VALUES, strict=False)))
    subprocess.run(["setfattr", "--restore=-"], input=dump, cwd=files, check=True)
    for name in NAMES:
        for key, value in zip(KEYS, VALUES, strict=False):
            assert os.getxattr(files / name, f"user.tag.{key}") == value.encode()


VALUE_FORMS = [
    rb'"a\"b\\c"', rb'"a\012b"', rb'"a\nb"', rb'"a\1"', b"plain", rb"pl\041ain", b'"half',
    b"0x6162", b"0X61 62", b"0sYWI=", b'""', b'"', rb'"\400"', b'"a"b"',
]  # fmt: skip


def test_values_are_read_as_setfattr_reads_them(files: Path) -> None:
    (files / "f").touch()
    for form in VALUE_FORMS:
        dump = b"# file: f\nuser.t=" + form + b"\n"
        subprocess.run(["setfattr", "--restore=-"], input=dump, cwd=files, check=True)
        assert read_value(form) == os.getxattr(files / "f", "user.t"), form


def test_empty_values_of_other_encodings() -> None:
    """getfattr -e base64 writes these, and setfattr 2.5 refuses them."""
    assert read_value(b"0s") == read_value(b"0x") == b""


@pytest.mark.parametrize("form", [b"0x6", b"0xzz", b"0sYWI", b"0s!!"])
def test_bad_values(form: bytes) -> None:
    with pytest.raises(InvalidTag):
        read_value(form)


@given(st.binary())
def test_values_round_trip(value: bytes) -> None:
    assert read_value(render_value(value)) == value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = texts.filter(lambda key: bool(key) and "\0" not in key)
paths = keys.filter(lambda path: not path.startswith("/"))


@given(st.lists(st.tuples(paths, st.dictionaries(keys, texts, min_size=1)), max_size=4))
def test_dumps_round_trip(files: list[tuple[str, dict[str, str]]]) -> None:
    dump = b"".join(render_block(path, tags) for path, tags in files)
    assert [(b.path, dict(b.tags)) for b in read(dump)] == files


@given(st.binary(max_size=200))
def test_any_bytes_give_blocks_or_our_error(data: bytes) -> None:
    for start in (b"", b"# file: x\n", b"# file: x\nuser.tag.a="):
        with contextlib.suppress(SettingsError):
            read(start + data)


def test_links_and_long_tags() -> None:
    assert render_block("l", {"k": "v"}, link=True) == b'# file: l\ntag.k="v"\n\n'
    long = "中" * 100
    (block,) = read(render_block("f", {long: "v", "k": "w"}))
    assert block.whole
    assert block.tags == {long: "v", "k": "w"}


def test_what_people_make_of_dumps() -> None:
    text = b'\n# file: a\nuser.comment="x"\nuser.tag.k="v"\r\n# file: b\nuser.tagging="a=1&b=2"\n'
    one, two = read(text)
    assert (one.path, dict(one.tags), one.others) == ("a", {"k": "v"}, 1)
    assert (two.path, dict(two.tags), two.whole) == ("b", {"a": "1", "b": "2"}, True)
    (names_only,) = read(b"# file: a\nuser.tag.k\n")
    assert "getfattr -d" in names_only.problem
    (binary,) = read(b"# file: a\nuser.tag.k=0xff\n")
    assert "UTF-8" in binary.problem
    with pytest.raises(SettingsError, match="line 1"):
        read(b"user.tag.k=v\n")
