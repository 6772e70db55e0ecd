"""Notes of the journal: what is written is read again; whatever else is read is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tagfs.fs.content.checked_fields import InvalidEntry
from tagfs.fs.content.journal_entries import (
    FileEntry,
    Phase,
    RenameEntry,
    RenamePhase,
    UploadStart,
    parse_note,
    render_note,
)

TEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)
PARTS = NAMES.filter(lambda name: name not in (".", ".."))
KEYS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
TOKENS = st.text("0123456789ABCDEFabcdef-", min_size=1, max_size=40)


@st.composite
def entries(draw: st.DrawFn) -> FileEntry:
    cuts = sorted(draw(st.sets(st.integers(0, 2**50), max_size=8)))
    size = draw(st.integers(cuts[-1] if cuts else 0, 2**51))
    base = draw(st.none() | TOKENS)
    return FileEntry(
        key=draw(KEYS),
        metadata=draw(TEXTS),
        headers=draw(TEXTS),
        tags=draw(st.none() | TEXTS),
        defaults=draw(TEXTS),
        exclusive=draw(st.booleans()),
        base_etag=base,
        base_size=draw(st.integers(0, size)) if base else 0,
        size=size,
        written=list(zip(cuts[::2], cuts[1::2], strict=False)),
        upload_id=draw(st.none() | TOKENS),
        begun=draw(st.none() | st.builds(UploadStart, metadata=TEXTS, headers=TEXTS, tags=TEXTS)),
        part_size=draw(st.integers(1, 2**33)),
        phase=draw(st.sampled_from(Phase)),
        recorded_ns=draw(st.integers(0, 2**62)),
    )


@given(entries())
def test_a_note_says_what_was_written_down(entry: FileEntry) -> None:
    assert parse_note(render_note(entry)) == entry


@given(old=PARTS, new=PARTS, phase=st.sampled_from(RenamePhase), replaces=st.booleans())
def test_the_note_of_a_rename_too(old: str, new: str, phase: RenamePhase, *, replaces: bool):
    entry = RenameEntry(
        source=f"{old}/", target=f"{new}/", phase=phase, replaces=replaces, recorded_ns=1
    )
    if old == new:
        with pytest.raises(InvalidEntry):
            parse_note(render_note(entry))
    else:
        assert parse_note(render_note(entry)) == entry


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
ENTRY = FileEntry(
    key="a/b",
    metadata={"mode": "33188"},
    headers={},
    tags={"k": "v"},
    exclusive=False,
    base_etag="E",
    base_size=10,
    size=100,
    written=[(5, 20), (30, 40)],
    upload_id="U",
    begun=UploadStart(metadata={}, headers={}, tags={}),
)
FIELDS = sorted(json.loads(render_note(ENTRY)))


def parsed(text: str) -> tuple[FileEntry | RenameEntry | None, str]:
    try:
        return parse_note(text), ""
    except InvalidEntry as bad:
        return None, str(bad)


def test_a_note_of_a_version_without_checksums_of_parts() -> None:
    value = json.loads(render_note(ENTRY))
    del value["begun"]["checksums"]
    assert parse_note(json.dumps(value)) == ENTRY


@given(st.sampled_from(FIELDS), JSON)
def test_a_field_of_any_value_is_sound_or_refused(field: str, value: Any) -> None:
    text = json.dumps({**json.loads(render_note(ENTRY)), field: value})
    entry, reason = parsed(text)
    if entry is None:
        assert 0 < len(reason) < 500
        return
    assert isinstance(entry, FileEntry)
    assert 0 <= entry.base_size <= entry.size < 2**63
    assert all(0 <= start < end <= entry.size for start, end in entry.written)
    assert all(a[1] <= b[0] for a, b in zip(entry.written, entry.written[1:], strict=False))
    assert not {"", ".", ".."} & set(entry.key.split("/"))
    for texts in (entry.metadata, entry.headers, entry.tags or {}):
        assert all(isinstance(text, str) for text in texts.values())


@given(st.sampled_from(FIELDS))
def test_a_field_that_is_missing_is_never_guessed(field: str) -> None:
    fields = json.loads(render_note(ENTRY))
    del fields[field]
    optional: dict[str, Any] = {"tags": None, "acl": None, "upload_id": None, "begun": None}
    optional |= {"defaults": {}, "annotations_of": []}  # older notes have none
    if field in optional:
        without: dict[str, Any] = {field: optional[field]}
        assert parse_note(json.dumps(fields)) == replace(ENTRY, **without)
    else:
        with pytest.raises(InvalidEntry):
            parse_note(json.dumps(fields))


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a//", "a//b", ".", "..", "../a", "a/../b", "a\0b", "x" * 256, "\ud800"]
)
def test_keys_that_can_be_no_file_are_refused(key: str) -> None:
    with pytest.raises(InvalidEntry):
        parse_note(render_note(replace(ENTRY, key=key)))


@pytest.mark.parametrize(
    ("source", "target"),
    [("a//", "a/b/"), ("a/b/", "a/"), ("a/", "a/"), ("a", "b/"), ("a/", "/"), ("", "b/")],
)
def test_renames_that_cannot_be_are_refused(source: str, target: str) -> None:
    entry = RenameEntry(source=source, target=target, phase=RenamePhase.COPYING, replaces=False)
    with pytest.raises(InvalidEntry):
        parse_note(render_note(entry))


@pytest.mark.parametrize("token", ["", "a b", 'a"b', "a\nb", "x" * 4097])
def test_tokens_that_would_break_a_header_are_refused(token: str) -> None:
    with pytest.raises(InvalidEntry):
        parse_note(render_note(replace(ENTRY, base_etag=token)))
    with pytest.raises(InvalidEntry):
        parse_note(render_note(replace(ENTRY, upload_id=token)))
