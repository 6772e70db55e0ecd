"""What people and programs write in names, attributes, options and expressions."""

import os
import re
from contextlib import suppress

from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.index_condition import narrow
from tagfs.config.settings import parse_options, parse_url, split_options
from tagfs.errors import NotFound, SettingsError
from tagfs.fs.mapping.desktop_labels import EACH, DesktopLabels
from tagfs.fs.mapping.link_targets import link_metadata, read_text, to_target
from tagfs.fs.mapping.posix_metadata import Attributes, parse_attributes, parse_mode, parse_time
from tagfs.fs.mapping.xattr_metadata import XATTR_METADATA, parse_xattrs, with_xattrs
from tagfs.fs.mapping.xattr_names import parse_name
from tagfs.fs.views.view_paths import encode, parse_place
from tagfs.globs import Filter, compile_glob, decode_pattern
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.proxies import parse_proxy
from tagfs.store.tags import TagSet, parse_tagging, render_tagging


def text_of(data: bytes) -> str:
    """Return bytes as a program gets them from the kernel or a command line."""
    return data.decode("utf-8", "surrogateescape")


def pairs_of(data: bytes) -> dict[str, str]:
    """Return lines of NAME=VALUE."""
    found = (line.partition("=") for line in data.decode("utf-8", "replace").split("\n"))
    return {name: value for name, _, value in found if name}


def tagging(data: bytes) -> None:
    tags = parse_tagging(text_of(data))
    assert parse_tagging(render_tagging(tags)) == tags


def tag_escape(data: bytes) -> None:
    came = TagSet(pairs_of(data))
    for escape in TagEscape:
        tags = escape.decode(came)
        assert len(tags) == len(came)
        assert escape.decode(escape.encode(tags, {})) == tags


TAGGINGS = (
    b"k1=v1&k2=v2",
    b"a%20b=%2B%C3%BC&c",
    b"%61=1&a=2",
    b"=&&=%",
    b"a+b=%zz",
    b"k=%ed%a0%80",
    "部门=市场".encode(),
)


def xattrs(data: bytes) -> None:
    """The entry of other programs' attributes, and any name of one."""
    parse_name(text_of(data))
    found = parse_xattrs({XATTR_METADATA: text_of(data)})
    assert parse_xattrs(with_xattrs({}, found)) == found


XATTRS = (
    b"%7B%22user.a%22%3A%22MQ%3D%3D%22%7D",
    b'{"user.a":"MQ==","user.b":""}',
    b'{"\\ud800":""}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"user.meta.a",
    b"user.object.etag",
)


def labels(data: bytes) -> None:
    """Labels of a file manager are read as they were set."""
    text = text_of(data)
    for choice in (EACH, "labels"):
        desktop = DesktopLabels(choice, lambda key: key.startswith("aws:"))
        tags = desktop.change(TagSet({"team": "blue"}), text)
        assert tags["team"] == "blue"
        assert desktop.change(tags, desktop.read(tags) or "") == tags


LABELS = (b"a,b", b"a/b, c ,,c", b"a:b", b"team", b"aws:x", b"labels")


def attributes(data: bytes) -> None:
    """Whatever metadata says: a mode, an owner and times that the kernel takes."""
    metadata = pairs_of(data)
    info = ObjectInfo(
        key="k", size=1, etag="e", last_modified_ns=0, detail=Detail(metadata=metadata)
    )
    found = parse_attributes(
        info, Attributes(mode=0o100644, uid=0, gid=0, mtime_ns=0, ctime_ns=0, atime_ns=0)
    )
    assert 0 <= found.mode < 2**32
    assert 0 <= found.uid < 2**32
    assert 0 <= found.gid < 2**32
    for moment in (found.mtime_ns, found.ctime_ns, found.atime_ns):
        assert -(2**63) <= moment // 10**9 < 2**63
    text = text_of(data)
    parse_mode(text)
    parse_time(text)


ATTRIBUTES = (
    b"mode=33188\nuid=1\ngid=2\nmtime=1.5\nctime=1\natime=2",
    b"mode=0100644\nmtime=2024-01-02T03:04:05.678Z\nrdev=fff",
    b"x-mtime=-1\nmtime=999999999999999.999999999999",
    b"mtime=0001-01-01T00:00:00+23:59",
    b"mtime=9999-12-31T23:59:59-23:59",
    b"symlink-target=header:3:abc",
)


def link(data: bytes) -> None:
    """A link's text is read as it was written, wherever the link is."""
    text = text_of(data)
    for key in ("l", "a/b/l"):
        target = to_target(key, text)
        found = read_text(key, target, link_metadata(key, text))
        assert found == text or not text or "\0" in text, (found, text)
        read_text(key, text, {"symlink-target": text})


LINKS = (
    b"a/b",
    b"../x",
    b"/etc/passwd",
    b"..//.",
    b"\xff/",
    b"x" * 4095,
    b"a/" * 2000,
    b"header:3:a%2F",
    b"header:\xc2\xb2:a",
)


def expression(data: bytes) -> None:
    """An expression is read as it is written, says yes or no, and leaves enough to an index."""
    found = parse_expression(text_of(data))
    again = parse_expression(str(found))
    narrow(found)
    some: list[dict[str, str]] = [{}, {"a": "b"}, {"team": "blue", "k": "value"}]
    for tags in some:
        assert found.matches(tags) == again.matches(tags)


EXPRESSIONS = (
    b"team=blue and not (retention or k~^v$)",
    b'"a b"="x \\"y\\"" or c*!=?d',
    b"k~'a{99999999999}'",
    b"k~'" + b"(" * 3000 + b")" * 3000 + b"'",
    b"k~(a+)+$",
    b"*~'(a|aa)+$'",
    b"(" * 5000 + b"a" + b")" * 5000,
    b"not " * 5000 + b"a",
    b" and ".join([b"a"] * 3000),
    b"*=" + b"*a" * 120 + b"c",
    b"k~(?i)(?P<x>a)(?P=x)",
)


def view(data: bytes) -> None:
    """A path below the directory of views is a place, or nothing."""
    parts = tuple(part for part in text_of(data).split("/") if part)
    try:
        place = parse_place(parts)
    except NotFound:
        return
    if place.wanted is not None:  # anybody on the host may ask so: an answer must come at once
        for value in ("a" * 255 + "b", "ab" * 128, "\n" * 256):
            place.wanted.matches({"a": value, "k": value})
    assert place.tag is None or encode(place.tag) is None or "/" not in (encode(place.tag) or "")


VIEWS = (
    b"tag/team/=blue/x",
    b"query/team=blue and not a/y",
    b"query/*~(a+)+%24",
    b"query/k~a{9999999999}",
    b"untagged/z",
    b"tag/%2F/=%25",
    b"tag/a/b/c",
)


def glob(data: bytes) -> None:
    """Globs are compiled, and answer."""
    pattern = text_of(data)
    for one in (pattern, decode_pattern(pattern)):
        try:
            compile_glob(one).fullmatch("a/b.txt")
            Filter([one], [one]).wants("a/b/c")
        except re.error as error:
            raise AssertionError(f"{one!r}: {error}") from error


GLOBS = (b"*.txt", b"**/a?[!b-d]", b"[", b"[]", b"[z-a]", b"%2A%5B", b"[[:alpha:]]", b"**" * 10)


def options(data: bytes) -> None:
    """What `-o` and /etc/fstab say: settings, or our error."""
    chosen = parse_options(parse_url("oss://bucket"), split_options((text_of(data),)))
    assert 0 <= chosen.ttl < float("inf")
    assert 0 < chosen.timeout < float("inf")
    assert 0 <= chosen.umask <= 0o777
    assert chosen.parallel >= 1


OPTIONS = (
    b"endpoint=e,ro,ttl=1,memory=64M,umask=022",
    b"endpoint=e,ttl=nan,_netdev,allow_other",
    b"endpoint=e,memory=" + b"9" * 5000,
    b"endpoint=e,cache_dir=\\,x,default_tags=a=b&c=d",
    b"endpoint=e,parallel=1_0,part_size=1e400",
    b"endpoint=e,only='team=blue and not retention',views=off",
    b"endpoint=e,append_objects=[*.log,proxy=http://a:b@c:1",
    b"endpoint=e,only=k~a{9999999999}",
    b"uid=\xff,gid=-1",
)


def url(data: bytes) -> None:
    """Buckets, endpoints and proxies."""
    text = text_of(data)
    for read in (_endpoint, _proxy, _bucket):
        try:
            read(text)
        except SettingsError:
            continue


def _bucket(text: str) -> None:
    found = parse_url(text)
    assert "/" not in found.bucket
    assert "\0" not in found.bucket + found.prefix
    assert ".." not in found.prefix.split("/")
    os.fsencode(found.prefix).decode()


def _endpoint(text: str) -> None:
    find_endpoint(OSS, "bkt", text)


def _proxy(text: str) -> None:
    with suppress(ValueError):
        parse_proxy(text)


URLS = (
    b"oss://bucket/a/b",
    b"s3://b/../../x",
    b"oss://[::1",
    b"oss://b/%ff",
    b"oss://b@evil.example/x",
    b"http://user:secret@e:99999",
    b"http://[::1",
    b"https://e.example/path",
    b"none",
    b"http://\xff",
)
