"""What nobody sane would send: keys that point elsewhere, XML that grows, depth, odd encodings."""

from pathlib import Path

import oss2
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.xml_text import parse
from tests.examples import examples

HOSTILE = (
    *("../../../../tmp/escaped", "a/../../b", "./x", "..", ".", "a//b", "//", "a\\..\\b"),
    *("%2e%2e/%2e%2e/x", "é/e\u0301", "x" * 1023, "end.", "end ", "CON", "-rf", "~root", "$(id)"),
    *("a\nb", "a\rb", "a\tb", "a\x01b", "a\x7fb", "\u202eabc", "\ufeffbom", "\U0001f600"),
    "a;b?c#d&e=f+g",
)


def test_keys_never_lead_out_of_the_data_directory(bucket: oss2.Bucket) -> None:
    """Every key is kept, listed, read and deleted as it is; none becomes a path."""
    kept = {}
    for number, key in enumerate(HOSTILE):
        try:
            bucket.put_object(key, b"%d" % number)
        except (oss2.exceptions.ServerError, oss2.exceptions.ClientError):
            continue  # refused, which the service does as well
        kept[key] = b"%d" % number
    assert len(kept) > len(HOSTILE) // 2
    assert {key: bucket.get_object(key).read() for key in kept} == kept
    listed = {info.key for info in oss2.ObjectIterator(bucket)}
    assert listed == set(kept)
    assert not Path("/tmp/escaped").exists()
    for key in kept:
        bucket.delete_object(key)
    assert not list(oss2.ObjectIterator(bucket))


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda key: not key.startswith(("/", "\\")) and len(key.encode()) < 1000
)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(KEYS)
@example("../" * 20 + "x")
def test_any_key(bucket: oss2.Bucket, key: str) -> None:
    try:
        bucket.put_object(key, b"content")
    except oss2.exceptions.ServerError as error:
        assert 400 <= error.status < 500  # noqa: PT017
        return
    except oss2.exceptions.ClientError:
        return
    assert bucket.get_object(key).read() == b"content"
    bucket.delete_object(key)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
    "<Tagging><TagSet><Tag><Key>&b;</Key><Value>v</Value></Tag></TagSet></Tagging>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_entities_are_refused_in_every_encoding(encoding: str) -> None:
    assert parse(BOMB.encode(encoding)) is None


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "utf-7", "utf-32", "idna"])
def test_encodings_that_are_none(encoding: str) -> None:
    found = parse(f"<?xml version='1.0' encoding='{encoding}'?><Error/>".encode())
    assert found is None or found.tag == "Error"


def test_depth() -> None:
    found = parse(b"<a>" * 100_000 + b"</a>" * 100_000)
    assert found is None or found.tag == "a"


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200) | st.text("<>/&;!?=\"' aTag[]x", max_size=80).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    parse(data)


def test_it_listens_on_loopback_unless_asked_to() -> None:
    host, _port = EmulatorConfig(data=Path("unused")).address()
    assert host == "127.0.0.1"
