"""Large content on S3: compared by a checksum that goes ahead, with servers that have none too."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tagfs.errors import Unsupported
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, NewObject, Part, Upload
from tests.emulated import Emulator, emulator
from tests.emulator.s3.client import s3_client
from tests.service.store.service import Service

MIB = 1024 * 1024
CONTENT = os.urandom(11 * MIB)
CUT = 5 * MIB
OPTIONS = {
    "compared": (),
    "ignored": ("checksums=off",),
    "refused": ("checksums=refused",),
    "uncopied": ("checksums=uncopied",),
    "ceph": ("mimic=rgw",),
    "ceph 20": ("mimic=rgw20",),
}


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                emulator(tmp_path_factory.mktemp(name), 20, service="s3", options=options)
            )
            for name, options in OPTIONS.items()
        }


@pytest.fixture(params=OPTIONS)
def service(request: pytest.FixtureRequest, emulators: dict[str, Emulator]) -> Iterator[Service]:
    one = Service(emulators[request.param])
    yield one
    one.faults()
    one.client.close()


@pytest.fixture
def comparing(emulators: dict[str, Emulator]) -> Iterator[Service]:
    one = Service(emulators["compared"])
    yield one
    one.faults()
    one.client.close()


def send(client: Client, upload: Upload, content: bytes = CONTENT) -> list[Part]:
    pieces = [content[:CUT], content[CUT : 2 * CUT], content[2 * CUT :]]
    return [client.upload_part(upload, n, BytesSource(p)) for n, p in enumerate(pieces, 1)]


def test_content_arrives_whatever_the_service_makes_of_checksums(service: Service) -> None:
    for _ in range(2):
        upload = service.client.start_upload("k", NewObject())
        made = service.client.complete_upload(upload, send(service.client, upload))
        assert made.size == len(CONTENT)
        assert service.client.get("k").data == CONTENT


def test_a_part_can_be_copied_at_the_second_try_at_the_latest(service: Service) -> None:
    """... where the service names no checksum of it, with which the end would be refused."""
    source = service.client.put("source", BytesSource(CONTENT), NewObject())
    for last in (False, True):
        upload = service.client.start_upload("copy", NewObject())
        try:
            part = service.client.copy_part(upload, 1, source, 0, source.size)
        except Unsupported:
            assert not last
            service.client.abort_upload(upload)
        else:
            service.client.complete_upload(upload, [part])
    assert service.client.get("copy").data == CONTENT


def test_what_is_kept_of_an_upload_is_as_boto3_reads_it(comparing: Service) -> None:
    upload = comparing.client.start_upload("k", NewObject())
    comparing.client.complete_upload(upload, send(comparing.client, upload))
    sdk = s3_client(comparing.emulator.url)
    found = sdk.head_object(Bucket=comparing.name, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"].endswith("-3")
    sdk.put_object(Bucket=comparing.name, Key="sdk", Body=CONTENT[:MIB])
    source = comparing.client.head("sdk")
    upload = comparing.client.start_upload("copied", NewObject())
    part = comparing.client.copy_part(upload, 1, source, 0, MIB)
    comparing.client.complete_upload(upload, [part])
    assert comparing.client.get("copied").data == CONTENT[:MIB]


def test_an_upload_goes_on_in_another_process(comparing: Service) -> None:
    upload = comparing.client.start_upload("k", NewObject())
    sent = send(comparing.client, upload)
    listed = comparing.client.list_parts(upload)
    assert [part.checksum for part in listed] == [part.checksum for part in sent]
    assert all(part.checksum for part in listed)
    other = comparing.open()
    assert other.complete_upload(upload, listed).size == len(CONTENT)
    other.close()


@dataclass
class Changing:
    """Content that a program changes after it was read for the first time."""

    size: int = 2 * MIB
    reads: int = 0

    def read(self, _offset: int, length: int) -> bytes:
        self.reads += 1
        return (b"a" if self.reads == 1 else b"b") * length


def test_content_that_changes_while_it_is_sent_is_sent_as_it_became(comparing: Service) -> None:
    upload = comparing.client.start_upload("k", NewObject())
    part = comparing.client.upload_part(upload, 1, Changing())
    assert comparing.client.complete_upload(upload, [part]).size == 2 * MIB
    assert comparing.client.get("k").data == b"b" * 2 * MIB
    assert comparing.asked().count("UploadPart") == 2


def test_no_more_requests_than_without(service: Service, request: pytest.FixtureRequest) -> None:
    """... but where they are refused, which is remembered."""
    for first in (True, False):
        upload = service.client.start_upload("k", NewObject())
        service.client.complete_upload(upload, send(service.client, upload))
        asked = service.asked()
        refusals = int(first and "refused" in request.node.name)
        assert asked.count("InitiateMultipartUpload") == 1 + refusals
        assert asked.count("UploadPart") == 3
