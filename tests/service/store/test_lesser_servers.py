"""Heads that are too long, batches that are not there, content decompressed on the way."""

import gzip
from collections.abc import Callable, Iterator

import pytest

from tagfs.errors import TagfsError
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, Keep, NewObject, ObjectInfo
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.emulator.s3.client import s3_client, tags_of
from tests.service.store.service import Service

SMALL = BytesSource(b"small")
LONG = {f"{'键' * 20}{n}": "值" * 100 for n in range(10)}
"""Ten tags within all rules: some 11 KiB in a header."""


@pytest.fixture(scope="module")
def lesser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    options = ["batches=off", "transcoding=on"]
    with emulator(tmp_path_factory.mktemp("s3"), 50, service="s3", options=options) as one:
        yield one


@pytest.fixture
def service(lesser: Emulator) -> Iterator[Service]:
    one = Service(lesser)
    yield one
    one.faults()
    one.client.close()


def upload(client: Client, key: str, new: NewObject) -> None:
    begun = client.start_upload(key, new)
    client.complete_upload(begun, [client.upload_part(begun, 1, SMALL)])


def retagged(client: Client, key: str) -> ObjectInfo:
    plain = client.put("plain", SMALL, NewObject(tags=TagSet({})))
    return client.copy(plain, key, tags=TagSet(LONG))


REWRITES: dict[str, Callable[[Client], object]] = {
    "put": lambda client: client.put("k", SMALL, NewObject()),
    "put with tags": lambda client: client.put("k", SMALL, NewObject(tags=TagSet(LONG))),
    "upload": lambda client: upload(client, "k", NewObject()),
    "upload with tags": lambda client: upload(client, "k", NewObject(tags=TagSet(LONG))),
    "metadata": lambda client: client.set_metadata(client.head("k"), {"a": "ä" * 200}, {}),
    "copy": lambda client: client.copy(client.head("k"), "k2"),
    "retagged copy": lambda client: retagged(client, "k"),
    "described copy": lambda client: client.copy(
        client.head("k"), "k2", metadata={"a": "ä" * 200}, tags=Keep.SOURCE
    ),
}


@pytest.mark.parametrize("way", REWRITES)
def test_tags_that_no_header_holds_survive(service: Service, way: str) -> None:
    """boto3 finds all ten after every way of rewriting; the head stays below 8 KiB."""
    boto = s3_client(service.emulator.url)
    service.client.put("k", SMALL, NewObject(tags=TagSet(LONG)))
    REWRITES[way](service.client)
    for key in ("k", "k2") if "copy" in way and way != "retagged copy" else ("k",):
        assert tags_of(boto, service.name, key) == LONG


@pytest.mark.parametrize("way", ["put", "upload"])
def test_tags_are_not_lost_when_their_request_fails(service: Service, way: str) -> None:
    """The write fails, and whoever writes again gives the object the tags that it had."""
    boto = s3_client(service.emulator.url)
    service.client.put("k", SMALL, NewObject(tags=TagSet(LONG)))
    service.faults("deny:op=PutObjectTagging:times=1")
    with pytest.raises(TagfsError):
        REWRITES[way](service.client)
    REWRITES[way](service.client)
    assert tags_of(boto, service.name, "k") == LONG


def test_tags_that_fit_go_along(service: Service) -> None:
    service.client.put("k", SMALL, NewObject(tags=TagSet({"team": "red"})))
    assert service.asked() == ["PutObject"]


@pytest.mark.parametrize("status", [400, 405, 501])
def test_without_batches_objects_go_one_by_one(service: Service, status: int) -> None:
    """The batch is tried once; what each deletion says is reported of its key."""
    keys = ["a", "b", "c/d"]
    service.faults(
        f"status={status}:code=InvalidArgument:op=DeleteMultipleObjects", "deny_delete=kept"
    )
    for again in (False, True):
        for key in [*keys, "kept"]:
            service.client.put(key, SMALL, NewObject(tags=TagSet({})))
        assert service.client.delete_many(keys) == {}
        assert list(service.client.delete_many(["kept"])) == ["kept"]
        assert service.asked().count("DeleteMultipleObjects") == (0 if again else 1)
    assert [info.key for info in service.client.list("").objects] == ["kept"]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_compressed_content_is_read_as_it_is_stored(service: Service, size: int) -> None:
    """Whole and in part; the next one costs no second request."""
    boto = s3_client(
        service.emulator.url,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    stored = gzip.compress(b"hello " * size)
    for key in ("a", "b"):
        boto.put_object(Bucket=service.name, Key=key, Body=stored, ContentEncoding="gzip")
    plain = boto.get_object(Bucket=service.name, Key="a")["Body"].read()
    assert plain == b"hello " * size
    service.skip()
    assert service.client.get("a").data == stored
    assert service.client.get("a", 3, 5).data == stored[3:8]
    service.asked()
    assert service.client.get("b").data == stored
    assert service.asked() == ["GetObject"]
