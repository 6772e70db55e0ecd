"""User metadata of any text and name: what we write the vendor's SDK reads, and the reverse."""

from collections.abc import Callable, Iterator
from email.header import decode_header, make_header

import pytest

from tagfs.errors import InvalidRequest
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tests.emulated import Emulator, emulator
from tests.judges import judge_of

TEXTS = {"title": "Grüße 東京", "wide": "東京\u3000塔", "percent": "50%41 %", "a": "1"}


def _words(text: str) -> str:
    return str(make_header(decode_header(text)))


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode()


# How what an SDK reports is to be read; esdk-obs-python decodes by itself.
TOLD: dict[str, Callable[[str], str]] = {"oss": _utf8, "obs": str, "s3": _words}


@pytest.fixture(scope="module", params=TOLD)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("meta"), 10, service=request.param) as one:
        yield one


def metadata(client: Client, key: str) -> dict[str, str]:
    detail = client.head(key).detail
    assert detail is not None
    return dict(detail.metadata)


def rewrite(client: Client, made: ObjectInfo) -> None:
    """Copy an object, and change the metadata of the copy to what it is."""
    copy = client.copy(made, "copy")
    client.set_metadata(copy, metadata(client, "copy"), {})


def test_what_we_write_is_what_the_sdk_reads(service: Emulator) -> None:
    bucket = service.take()
    client, sdk = service.open(bucket), judge_of(service.service, service.url, bucket)
    rewrite(client, client.put("k", BytesSource(b"x"), NewObject(metadata=TEXTS)))
    for key in ("k", "copy"):
        assert metadata(client, key) == TEXTS
        reported = {name: TOLD[service.service](text) for name, text in sdk.head(key).meta.items()}
        assert {name: reported[name] for name in TEXTS} == TEXTS
    client.close()


# What each SDK can be made to send, and what it means.
SENT = {
    "oss": {"a": "plain"},
    "obs": {"a": "中", "b": "100%", "c": "%41"},
    "s3": {"a": "=?UTF-8?B?5Lit?=", "b": "=?UTF-8?Q?gr=C3=BCn?=", "c": "%41"},
}
MEANT = {
    "oss": {"a": "plain"},
    "obs": {"a": "中", "b": "100%", "c": "%41"},
    "s3": {"a": "中", "b": "grün", "c": "%41"},
}


def test_what_the_sdk_writes_is_read_and_survives_a_rewrite(service: Emulator) -> None:
    bucket, name = service.take(), service.service
    client, sdk = service.open(bucket), judge_of(name, service.url, bucket)
    sdk.put("k", b"x", meta=SENT[name])
    before = sdk.head("k").meta
    rewrite(client, client.head("k"))
    for key in ("k", "copy"):
        assert metadata(client, key) == MEANT[name]
    after = sdk.head("copy").meta
    assert {k: TOLD[name](after[k]) for k in SENT[name]} == {
        k: TOLD[name](before[k]) for k in SENT[name]
    }
    client.close()


ODD_NAMES = {
    "oss": {"a-b": "1"},
    "obs": {"a_b.c": "1", "a~b!": "2"},
    "s3": {"a_b.c": "1", "a~b!": "2", "x|y": "3"},
}


def test_names_that_others_chose_survive_a_rewrite(service: Emulator) -> None:
    client = service.open()
    names = ODD_NAMES[service.service]
    rewrite(client, client.put("k", BytesSource(b"x"), NewObject(metadata=names)))
    assert metadata(client, "copy") == names
    with pytest.raises(InvalidRequest):
        client.put("k", BytesSource(b"x"), NewObject(metadata={"a b": "1"}))
    client.close()
