"""Whatever is written on a command line, in /etc/fstab or in a dump: settings, or our error."""

import io

from hypothesis import example, given, settings, strategies as st

from tagfs.bulk.getfattr_format import read_blocks
from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import PARSERS
from tagfs.config.settings import parse_options, parse_url, split_options
from tagfs.errors import SettingsError, TagfsError
from tagfs.store.dialects.oss import OSS
from tagfs.store.http.endpoints import find_endpoint
from tests.examples import examples

EXAMPLES = examples(200)
URL = parse_url("oss://bucket")
NAMES = st.sampled_from([*PARSERS, *sorted(FUSE_OPTIONS), "ro", "rw", "passwd", ""]) | st.text(
    max_size=6
)
NUMBERS = st.integers().map(str) | st.floats().map(str) | st.from_regex(r"-?\d{1,30}[KMGTkb]?")
WORDS = st.sampled_from(["", "\0", "..", "auto", "1_0", "²", "٣", "1e400", "nan", "inf", "~/x"])
VALUES = st.text(max_size=8) | NUMBERS | WORDS


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.dictionaries(NAMES, VALUES | st.booleans(), max_size=4))
@example({"endpoint": "e", "ttl": "nan"})
@example({"endpoint": "e", "memory": "9" * 5000})
@example({"endpoint": "e", "cache_dir": "\0"})
@example({"endpoint": "e", "umask": "-0"})
@example({"endpoint": "e", "parallel": "9" * 5000})
def test_options(options: dict[str, str | bool]) -> None:
    try:
        chosen = parse_options(URL, options)
    except SettingsError:
        return
    assert 0 <= chosen.ttl < float("inf")
    assert 0 < chosen.timeout < float("inf")
    assert 0 <= chosen.umask <= 0o777
    assert chosen.parallel >= 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text("abrow=,\\ \0\né", max_size=20), max_size=3))
@example(["endpoint=e,,ro,", "=", ",=,"])
def test_fstab_strings(texts: list[str]) -> None:
    try:
        parse_options(URL, split_options(tuple(texts)))
    except SettingsError:
        return


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.text(max_size=20) | st.builds("{}://{}".format, st.sampled_from(["oss", "s3"]), st.text())
)
@example("oss://")
@example("oss://b/\0")
@example("oss://b/%ff")
@example("oss://b/\udcff")
@example("oss://[::1")
@example("s3://b/../../x")
@example("oss://b@evil.example/x")
def test_urls(text: str) -> None:
    try:
        url = parse_url(text)
    except SettingsError:
        return
    assert "/" not in url.bucket
    assert "\0" not in url.bucket + url.prefix
    assert ".." not in url.prefix.split("/")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.text(max_size=20) | st.builds("http{}://{}".format, st.sampled_from(["", "s"]), st.text())
)
@example("http://[::1")
@example("http://e:99999")
@example("http://e:x")
@example("http://user:secret@e")
@example("http://\udcff")
def test_endpoints(text: str) -> None:
    try:
        find_endpoint(OSS, "bkt", text)
    except TagfsError:
        return


LINES = st.lists(
    st.binary(max_size=30)
    | st.sampled_from(
        [
            *(b"# file: a", b"# file: \\057x", b'user.tag.a="1"', b"user.tag.b=0x31", b"\xff=1"),
            *(b"user.tag.c=0sMQ==", b"", b'user.tag.d="', b"user.tag.e=0sM", b"user.tag.f=0x3"),
            b"user.tagging=",
        ]
    ),
    max_size=6,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(LINES)
def test_dumps(lines: list[bytes]) -> None:
    """What `tagfs tag restore` reads: blocks, or the line that is wrong."""
    try:
        list(read_blocks(io.BytesIO(b"\n".join(lines))))
    except TagfsError:
        return
