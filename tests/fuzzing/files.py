"""Files of our own and of the user's, whatever has become of them."""

import io
import json
import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

from tagfs.bulk.audit import read_chains
from tagfs.bulk.csv_tags import Columns
from tagfs.bulk.getfattr_format import read_blocks, render_block
from tagfs.bulk.progress_file import ProgressFile
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.database import Database, Unusable
from tagfs.catalogue.rows import DAMAGED as DAMAGED_ROW, pack_detail, unpack_detail
from tagfs.config.resolve import choose
from tagfs.config.settings import parse_url
from tagfs.config.toml_file import ConfigFiles
from tagfs.errors import SettingsError, TagfsError
from tagfs.fs.content.checked_fields import InvalidEntry
from tagfs.fs.content.journal_entries import parse_note, render_note
from tagfs.recovery.staging_directory import MountRecord
from tagfs.rules.place import RulesPlace
from tagfs.rules.rule import ObjectKind
from tagfs.rules.rules_file import parse_rules
from tagfs.rules.templates import Creation
from tagfs.store.client.annotations.file import DamagedFile, read_annotations
from tagfs.store.credentials.field_names import (
    parse_ini,
    parse_json,
    parse_key_pair,
    parse_lines,
    role_in,
)
from tagfs.store.dialects.s3 import S3
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import TagSet

DAMAGED = (TagfsError, InvalidEntry, DamagedFile, *DAMAGED_ROW)


def read_text(data: bytes) -> str:
    """Return bytes as a file that was found is read."""
    return data.decode("utf-8", "replace")


def journal(data: bytes) -> None:
    """A note says what it said when it was written."""
    entry = parse_note(read_text(data))
    assert parse_note(render_note(entry)) == entry


_FILE = {
    "version": 1,
    "key": "a/b",
    "metadata": {"mode": "33188"},
    "headers": {},
    "tags": {"k": "v"},
    "exclusive": False,
    "base_etag": "E",
    "base_size": 10,
    "size": 100,
    "written": [[5, 20], [30, 40]],
    "upload_id": "U",
    "begun": {"metadata": {}, "headers": {}, "tags": {}},
    "part_size": 1,
    "phase": "open",
    "recorded_ns": 1,
    "defaults": {},
}
JOURNALS = (
    json.dumps(_FILE).encode(),
    b'{"version":1,"source":"a/","target":"b/","phase":"copying","replaces":false,"recorded_ns":1}',
    b"[" * 100_000,
    b'{"version":1,"size":1e400}',
    b'{"version":1,"size":' + b"9" * 5000 + b"}",
)


def record(data: bytes) -> None:
    """What is known of a mount that is gone."""
    MountRecord.parse(read_text(data)).settings({})


RECORDS = (
    b'{"version":1,"url":"oss://bucket/","options":{"endpoint":"e.example"},"mountpoint":"/mnt",'
    b'"pid":1,"started":1.0}',
    b'{"version":1,"url":"oss://bucket/","options":{"timeout":"nan"},"mountpoint":"/mnt","pid":[],'
    b'"started":1' + b"0" * 400 + b"}",
    b"[" * 100_000,
)


def annotations(data: bytes) -> None:
    """Annotations that an object is to get back."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        found = read_annotations(Path("x"), os.dup(file.fileno()))
        try:
            for name, (_, size) in found.places.items():
                assert len(found.read(name)) == size
        finally:
            found.close()


ANNOTATIONS = (
    b'{"version": 1, "key": "k"}\n{"name": "n", "size": 3}\nabc\n{"name": "m", "size": 0}\n\n',
    b'{"version": 1, "key": "k"}\n{"name": "n", "size": 1' + b"0" * 300 + b"}\nabc\n",
    b'{"version": 1, "key": "k"}\n{"name": "n", "size": true}\nabc\n',
    b"[" * 100_000,
)


def rules(data: bytes) -> None:
    """A file of rules: demands on any object, or every mistake in it."""
    found = parse_rules(read_text(data), RulesPlace(Path("rules.toml")), S3.object_tag_rules)
    for key in ("a", "blue/a.txt"):
        for kind in ObjectKind:
            demands = found.about(key, kind)
            with suppress(TagfsError):
                tags = demands.new_tags(Creation(key=key, uid=0, gid=0, now_ns=0), TagSet({}))
                demands.breaches(tags)


RULES = (
    b"[[rules]]\ntags = {owner = '{user}', team = 'none'}\nrequired = ['owner']\n"
    b"fixed = ['owner', 'audit-*']\n[[rules]]\npath = ['/blue/', '*.txt']\ninherit = true\n"
    b"allowed = {team = ['blue', 'azure-*']}\nchecked = 'close'\nkind = 'directory'\nreset = true",
    b"[[rules]]\ntags = {a = '{year}-{month}', b = '{dir:1}', c = '{{'}",
    b"a = " + b"[" * 3000,
    b"[[rules]]\nreset = " + b"9" * 5000,
    b"rules = 1979-99-99",
    b"[[rules]]\npath = '[z-a]'",
    b"[[rules]]\nallowed = {a = '" + b"*a" * 200 + b"b'}\ntags = {a = '" + b"a" * 200 + b"'}",
)


def settings(data: bytes) -> None:
    """The settings file: what it chooses, or what is wrong with it."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        chosen = ConfigFiles(file.name, {})
        assert all(isinstance(mistake, str) for mistake in chosen.mistakes)
        for url in (parse_url("oss://bucket"), None):
            chosen.givens(url, None)
        choose(parse_url("oss://bucket"), {"config": file.name, "endpoint": "e"})


SETTINGS = (
    b"[default]\nttl = 5\nendpoint = 'e'\n[bucket.'oss://bucket']\nro = true\n[profile.x]\nuid = 1",
    b"a = " + b"[" * 3000,
    b"[default]\nttl = " + b"9" * 5000,
    b"default = 1\nbucket = []\nprofile.x = 3",
    b"[default]\nttl = nan\nmemory = 1979-05-27\numask = 0o22",
    b"\xff\xfe",
)


def key_pair(data: bytes) -> None:
    """Credentials as vendors' files, processes and token services give them; never in an error."""
    text = read_text(data)
    found: list[dict[str, object]] = []
    for read in (parse_json, parse_ini, parse_lines):
        with suppress(TagfsError):
            fields = read(text, "x")
            found += [dict(fields), *(dict(f) for f in fields.values() if isinstance(f, dict))]
    for fields in found:
        with suppress(TagfsError):
            role_in(fields)
            pair = parse_key_pair(fields, "x")
            assert pair.access_key_id.isascii()


KEY_PAIRS = (
    b"[default]\naws_access_key_id = A\naws_secret_access_key = B\n",
    b"export OSS_ACCESS_KEY_ID=A\nOSS_ACCESS_KEY_SECRET='B'\n",
    b'{"AccessKeyId":"A","AccessKeySecret":"B","Expiration":"2024-01-02T03:04:05Z"}',
    b'{"AccessKeyId":"A","SecretAccessKey":"B","Expiration":1' + b"0" * 400 + b"}",
    b'{"AccessKeyId":"A","SecretAccessKey":"B","Expiration":"0001-01-01T00:00:00+23:59"}',
    b'{"AccessKeyId":"A","SecretAccessKey":"B","Expiration":NaN}',
    b"[" * 100_000,
    b"[a\nb = %(c)s\n = d",
)


def csv(data: bytes) -> None:
    """A table of tags."""
    for columns in (Columns(), Columns(tags={"a": "b"}, encoded=True)):
        with suppress(SettingsError):
            for block in columns.read(io.BytesIO(data)):
                assert block.problem or block.path


CSVS = (
    b"key,tag:a\nx,1\n",
    b'\xef\xbb\xbfkey,a\n"x ""y""\nz",1\nshort\n',
    b"key,tag:a,tag:a\n",
    b'key,tag:a\n"' + b"x" * 200_000,
    b"key,tag:a\nx\0,1\n",
    b"key,a\n%2F%,1\n",
)


def dump(data: bytes) -> None:
    """What getfattr writes is read, and what is read is written so that it is read again."""
    for block in read_blocks(io.BytesIO(data)):
        if block.tags and not block.problem and not block.whole and not block.others:
            again = list(read_blocks(io.BytesIO(render_block(block.path, block.tags))))
            assert [(one.path, one.tags) for one in again] == [(block.path, block.tags)]


DUMPS = (
    b'# file: a\nuser.tag.a="1"\nuser.tag.b=0x31\nuser.tag.c=0sMQ==\n\n# file: b\n'
    b'user.tagging="a=1"\n',
    b'# file: \\057x\nuser.tag.d="\nuser.tag.e=0sM\n',
    b"# file: a\n\xff=1\nuser.tag.=\nuser.other=1\ntag.k=1\n",
)


def audit(data: bytes) -> None:
    """An audit file, torn wherever it may be."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for chain in read_chains(Path(file.name)):
            assert len({(one.url, one.key) for one in chain}) == 1


AUDITS = (
    b'{"id":"1","url":"oss://b","key":"k","old":{},"new":{"a":"1"}}\n{"id":"1","result":"done"}\n',
    b'{"id":"1","url":"oss://b","key":1,"old":{"a":1},"new":{"a":"1"}}\n[[[\n',
    b'{"id":"1","url":"oss://b","key":["k"],"old":[["a","b"]],"new":{}}\n',
    b"[" * 100_000 + b"\n",
    b'{"old":1,"url":{}}\n',
)


def progress(data: bytes) -> None:
    """What a restore has done, as far as it can be believed."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "p"
        path.write_bytes(data)
        with ProgressFile(path, {}) as found:
            assert 7 not in found or b"7" in data


PROGRESS = (
    b"{}\n1\n2\n7\n",
    b"{}\n999999999999999\n",
    b"{}\n" + b"9" * 5000 + b"\n",
    b"{}\n-1\n\xb2\n1e3\n",
    b"",
    b"other\n",
)


def detail(data: bytes) -> None:
    """A detail as a row of the catalogue has it."""
    found = unpack_detail(read_text(data))
    assert unpack_detail(pack_detail(found)) == found


DETAILS = (
    pack_detail(
        Detail(metadata={"a": "b"}, headers={}, tag_count=1, crc64=2, version_id="v")
    ).encode(),
    b"[]",
    b"{}",
    b"1",
    b"[[],[],[],[],[],[],[],[]]",
    b'[{"a":1},null,"x",[],{}]',
    b"[" * 100_000,
)


def catalogue(data: bytes) -> None:
    """A file of the catalogue of which anything has become: what is sound is known, and it goes on.

    The data says where it is damaged: two bytes for the place, one that is put there.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o700)
        found = bytearray(_sound())
        if data[:6] == b"SQLite":
            found = bytearray(data)
        else:
            for at in range(0, len(data) - 3, 4):
                place = int.from_bytes(data[at : at + 3], "big") % len(found)
                found[place] = data[at + 3]
        (path / "c").write_bytes(found)
        (path / "c").chmod(0o600)
        try:
            database = Database(path, "c")
        except Unusable:
            return
        opened = Catalogue(database, 1 << 20)
        try:
            for known in opened.known(["a", "b", "c"]).values():
                assert known.key in {"a", "b", "c"}
            opened.scanned_at("")
            opened.kept_queries("")
            opened.saw_tags("a", TagSet({"n": "1"}))
            opened.flush()
            database.used()
        finally:
            opened.close()


_made: list[bytes] = []


def _sound() -> bytes:
    """Return a sound file."""
    if not _made:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory)
            opened = Catalogue(Database(path, "c"), 1 << 20)
            for key in "abc":
                more = Detail(metadata={"mode": "33188"}, headers={}, tag_count=1)
                info = ObjectInfo(key=key, size=1, etag="e" * 32, last_modified_ns=1, detail=more)
                opened.saw(info)
                opened.saw_tags(key, TagSet({"team": key}))
            opened.keep_query("", "team=a")
            opened.end_scan("", opened.begin_scan(""))
            opened.flush()
            opened.close()
            with sqlite3.connect(path / "c") as whole:
                whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            whole.close()
            _made.append((path / "c").read_bytes())
    return _made[0]


CATALOGUES = (
    b"",
    b"\x00\x0c/\xff\x00 \x00\x00\x7f0\x10\x99",
    b"SQLite format 3\0",
    b"\0\0\0\0",
    b"\0\x12\x34\xff\0\x20\x00\x00\0\x30\x10\x99",
)
