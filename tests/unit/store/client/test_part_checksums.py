"""Parts go with a CRC-32 where the service compares it, and with an MD5 where it does not."""

import base64
import zlib

import pytest

from tagfs.errors import AccessDenied, IntegrityError, TagfsError, Unsupported
from tagfs.store.objects import BytesSource, NewObject, Part, Upload
from tagfs.store.tags import NO_TAGS
from tagfs.store.wire.uploads import parse_copied, parse_parts, render_parts
from tests.unit.store.client.scripted import (
    ETAG,
    OTHER,
    Raw,
    Script,
    described,
    info,
    ok,
    refused,
)

NEW = NewObject(tags=NO_TAGS, acl={})
DATA = BytesSource(b"12345")
CRC = base64.b64encode(zlib.crc32(DATA.data).to_bytes(4)).decode()
MD5 = "827ccb0eea8a706c4c34a16891f84e7b"
BODY = "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"
ALGORITHM, CHECKSUM = "x-amz-checksum-algorithm", "x-amz-checksum-crc32"
TAKEN = ok(BODY, **{ALGORITHM: "CRC32"})
IGNORED = ok(BODY)
MISSING = refused(501, "NotImplemented")
COMPARED = ok(etag=f'"{MD5}"', **{CHECKSUM: CRC})
GARBLED = ok(etag=f'"{OTHER}"', **{CHECKSUM: "AAAAAA=="})
UPLOAD = Upload(key="k", upload_id="id", new=NEW, tags=NO_TAGS, checksums=True)


def start(script: Script) -> Upload:
    return script.parts.multipart.start_upload("k", NEW)


@pytest.mark.parametrize(
    ("steps", "checksums", "known", "asked"),
    [
        ([TAKEN], True, None, [True]),
        ([ok(BODY, **{ALGORITHM: "crc32"})], True, None, [True]),
        ([IGNORED], False, False, [True]),
        ([ok(BODY, **{ALGORITHM: "SHA1"})], False, None, [True]),
        ([MISSING, IGNORED], False, False, [True, False]),
        ([refused(400, "InvalidArgument"), IGNORED], False, False, [True, False]),
        ([refused(400, "NoWordOfS3"), IGNORED], False, False, [True, False]),
    ],
)
def test_an_upload_is_begun_with_checksums_where_they_are_taken(
    *, steps: list[Raw], checksums: bool, known: bool | None, asked: list[bool]
) -> None:
    script = Script().on("InitiateMultipartUpload", *steps)
    assert start(script).checksums is checksums
    assert script.features.part_checksums is known
    assert [ALGORITHM in one.headers for one in script.transport.sent] == asked


def test_what_was_refused_once_is_not_asked_for_again() -> None:
    script = Script().on("InitiateMultipartUpload", MISSING, IGNORED, IGNORED)
    start(script)
    start(script)
    assert [ALGORITHM in one.headers for one in script.transport.sent] == [True, False, False]


def test_a_refusal_for_other_reasons_says_nothing_of_checksums() -> None:
    denied = refused(403, "AccessDenied")
    with pytest.raises(AccessDenied):
        start(Script().on("InitiateMultipartUpload", denied))
    script = Script().on("InitiateMultipartUpload", MISSING, MISSING)
    with pytest.raises(Unsupported):
        start(script)
    assert script.features.part_checksums is None


@pytest.mark.parametrize("service", ["oss", "obs"])
def test_other_services_are_asked_for_none(service: str) -> None:
    script = Script(service).on("InitiateMultipartUpload", IGNORED)
    assert not start(script).checksums
    assert not any("checksum" in name for name in script.last.headers)


def test_an_md5_is_made_until_one_checksum_was_compared() -> None:
    script = Script().on("UploadPart", COMPARED, COMPARED)
    parts = [script.parts.multipart.upload_part(UPLOAD, number, DATA) for number in (1, 2)]
    assert [part.checksum for part in parts] == [CRC, CRC]
    assert [(one.checksum, one.md5) for one in script.transport.sent] == [
        (CHECKSUM, True),
        (CHECKSUM, False),
    ]
    assert script.features.part_checksums


def test_no_checksum_goes_with_parts_of_an_upload_without() -> None:
    script = Script().on("UploadPart", ok(etag=f'"{MD5}"'))
    script.features.trust_checksums()
    plain = Upload(key="k", upload_id="id", new=NEW, tags=NO_TAGS)
    assert script.parts.multipart.upload_part(plain, 1, DATA).checksum == ""
    assert (script.last.checksum, script.last.md5) == ("", True)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_part_that_was_garbled_is_sent_again(*, trusted: bool) -> None:
    script = Script().on("UploadPart", GARBLED, COMPARED)
    if trusted:
        script.features.trust_checksums()
    assert script.parts.multipart.upload_part(UPLOAD, 1, DATA).checksum == CRC
    assert len(script.transport.sent) == 2


def test_a_part_that_is_garbled_for_ever_is_an_error() -> None:
    script = Script().on("UploadPart", *[GARBLED] * 5)
    with pytest.raises(IntegrityError):
        script.parts.multipart.upload_part(UPLOAD, 1, DATA)


@pytest.mark.parametrize(
    ("trusted", "etags", "sent"),
    [
        (False, [MD5], [True]),
        (False, [OTHER, MD5], [True, True]),
        (True, [OTHER, MD5], [False, True]),  # nothing was compared with what: it is sent again
        (True, [MD5, MD5], [False, True]),
    ],
)
def test_where_no_checksum_comes_back_the_md5_is_compared(
    *, trusted: bool, etags: list[str], sent: list[bool]
) -> None:
    script = Script().on("UploadPart", *(ok(etag=f'"{etag}"') for etag in etags))
    if trusted:
        script.features.trust_checksums()
    assert script.parts.multipart.upload_part(UPLOAD, 1, DATA).checksum == ""
    assert [one.md5 for one in script.transport.sent] == sent
    assert script.features.part_checksums is False


def test_what_is_read_and_written_of_checksums() -> None:
    parts = [Part(number=1, etag=ETAG, size=5, checksum=CRC), Part(number=2, etag=OTHER, size=5)]
    assert render_parts(parts).count(b"<ChecksumCRC32>") == 1
    listed = render_parts(parts).replace(b"</Part>", b"<Size>5</Size></Part>")
    listed = listed.replace(b"CompleteMultipartUpload", b"ListPartsResult")
    assert list(parse_parts(listed).parts) == parts
    copied = f"<CopyPartResult><ETag>{ETAG}</ETag>%s</CopyPartResult>"
    named = f"<ChecksumCRC32>{CRC}</ChecksumCRC32>"
    assert [parse_copied((copied % text).encode()).checksum for text in ("", named)] == ["", CRC]


@pytest.mark.parametrize("code", ["InvalidRequest", "InvalidPart", "NoWordOfS3"])
def test_after_a_refusal_the_next_upload_goes_without(code: str) -> None:
    no = refused(400, code)
    sent = Script().on("UploadPart", no)
    with pytest.raises(TagfsError):
        sent.parts.multipart.upload_part(UPLOAD, 1, DATA)
    ended = Script().on("CompleteMultipartUpload", no)
    part = Part(number=1, etag=ETAG, size=5, checksum=CRC)
    with pytest.raises(TagfsError):
        ended.parts.completion.complete_upload(UPLOAD, [part])
    for script in (sent, ended):
        assert script.features.part_checksums is False
        assert not start(script.on("InitiateMultipartUpload", IGNORED)).checksums
        assert ALGORITHM not in script.last.headers


def test_a_copy_by_parts_begins_anew_where_no_checksum_is_named_of_them() -> None:
    script = Script().on("InitiateMultipartUpload", TAKEN, IGNORED)
    script.on("AbortMultipartUpload", ok())
    script.on("UploadPartCopy", *[ok(f"<CopyPartResult><ETag>{ETAG}</ETag></CopyPartResult>")] * 3)
    end = "<CompleteMultipartUploadResult><ETag>E</ETag></CompleteMultipartUploadResult>"
    script.on("CompleteMultipartUpload", ok(end)).on("HeadObject", described(etag=ETAG, size=5))
    source = info(etag=ETAG, size=5)
    made = script.parts.part_copies.copy_by_parts(source, "copy", NEW)
    assert made.size == 5
    assert script.features.part_checksums is False
    begun = script.all_of("InitiateMultipartUpload")
    assert [ALGORITHM in one.headers for one in begun] == [True, False]


def test_a_copy_that_cannot_be_made_is_not_begun_for_ever() -> None:
    script = Script().on("InitiateMultipartUpload", TAKEN).on("AbortMultipartUpload", ok())
    script.on("UploadPartCopy", *[MISSING] * 2)
    with pytest.raises(Unsupported):
        script.parts.part_copies.copy_by_parts(info(etag=ETAG, size=5), "copy", NEW)
    assert len(script.all_of("InitiateMultipartUpload")) == 1


def test_a_part_that_arrives_afterwards_does_not_make_them_trusted_again() -> None:
    """Parts are sent and copied at once: one may be answered after the copy that names none."""
    answer = ok(f"<CopyPartResult><ETag>{ETAG}</ETag></CopyPartResult>")
    script = Script().on("UploadPartCopy", answer, answer)
    with pytest.raises(Unsupported):
        script.parts.part_copies.copy_part(UPLOAD, 1, info(etag=ETAG, size=5), 0, 5)
    script.features.trust_checksums()
    assert script.features.part_checksums is False
