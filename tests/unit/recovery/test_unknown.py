"""Any bytes under any names in a staging directory: nothing fails, and nothing is deleted."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from tagfs.errors import SettingsError
from tagfs.fs.content.checked_fields import InvalidEntry
from tagfs.fs.content.journal_entries import parse_note
from tagfs.recovery.abandoned import AbandonedDirectory, find
from tagfs.recovery.left_files import Problem
from tagfs.recovery.staging_directory import MountRecord
from tests.examples import examples

EXAMPLES = examples(60)
TOKENS = ("0" * 24, "f" * 24, "rename-" + "a" * 24)
NAMES = st.one_of(
    st.builds("{}.{}".format, st.sampled_from(TOKENS), st.sampled_from(["data", "json"])),
    st.sampled_from(["mount.json", "lock", "README", ".hidden", "core", "x.data", "x.json"]),
    st.text("ab.é~ ", min_size=1, max_size=8).filter(lambda name: name not in (".", "..")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
RECORD = {
    "version": 1,
    "url": "oss://bucket/",
    "options": {"endpoint": "e.example"},
    "mountpoint": "/mnt",
    "pid": 1,
    "started": 1.0,
}
NOTE = {
    "version": 1,
    "key": "k",
    "metadata": {},
    "headers": {},
    "tags": None,
    "exclusive": False,
    "base_etag": None,
    "base_size": 0,
    "size": 4,
    "written": [[0, 4]],
}


def changed(good: dict[str, object]) -> st.SearchStrategy[bytes]:
    """Return a good document with some of its fields replaced by anything."""
    fields = st.dictionaries(st.sampled_from([*good, "other"]), JSON, max_size=3)
    return fields.map(lambda wrong: json.dumps({**good, **wrong}).encode())


BYTES = st.one_of(st.binary(max_size=60), JSON.map(lambda v: json.dumps(v).encode()))
CONTENTS = st.one_of(BYTES, changed(RECORD), changed(NOTE))


def held(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.dictionaries(NAMES, CONTENTS, max_size=5))
@example({"mount.json": b"", "0" * 24 + ".data": b"precious"})
@example({"notes of mine.txt": b"keep"})
def test_whatever_lies_there_stays(files: dict[str, bytes]) -> None:
    """Two passes over the directory of a mount that is gone, as `tagfs recover --list` does."""
    with tempfile.TemporaryDirectory() as cache:
        directory = Path(cache) / "staging" / "1-abcdef01"
        directory.mkdir(mode=0o700, parents=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)
            (directory / name).chmod(0o600)
        os.utime(directory, (1, 1))  # long ago: no mount that is about to begin
        for _ in range(2):
            for left in find(Path(cache)):
                if isinstance(left, Problem):
                    continue
                with left:
                    assert isinstance(left, AbandonedDirectory)
                    left.contents()
        if not directory.exists():
            assert not files or set(files) <= {"mount.json", "lock"}
            return
        found = held(directory)
        assert {name: found.get(name) for name in files if name != "lock"} == {
            name: content for name, content in files.items() if name != "lock"
        }


@settings(max_examples=EXAMPLES * 3, deadline=None)
@given(BYTES | changed(NOTE))
def test_notes(data: bytes) -> None:
    try:
        parse_note(data.decode("utf-8", "replace"))
    except InvalidEntry:
        return


@settings(max_examples=EXAMPLES * 3, deadline=None)
@given(BYTES | changed(RECORD))
@example(json.dumps({**RECORD, "started": 10**400}).encode())
@example(b"[" * 100_000)
def test_records(data: bytes) -> None:
    try:
        record = MountRecord.parse(data.decode("utf-8", "replace"))
        record.settings({})
    except SettingsError:
        return


def test_a_good_record_is_one() -> None:
    assert MountRecord.parse(json.dumps(RECORD)).settings({}).url.bucket == "bucket"
    with pytest.raises(SettingsError):
        MountRecord.parse(json.dumps({**RECORD, "version": 2}))
