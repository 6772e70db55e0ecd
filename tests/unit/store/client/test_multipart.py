"""Multipart uploads: begun, filled, completed or thrown away, whatever answer is lost."""

from typing import Any

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    IntegrityError,
    MalformedResponse,
    NoSuchUpload,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.objects import BytesSource, NewObject, Part, Upload
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.wire.checksums import crc64, etag_of_parts
from tests.fakes.clock import FakeClock
from tests.unit.store.client.scripted import (
    BUSY,
    ETAG,
    LOST,
    OTHER,
    Raw,
    Script,
    Step,
    copied,
    described,
    info,
    ok,
    refused,
    tag_set,
)

AB = TagSet({"a": "b"})
DATA = BytesSource(b"12345")
DENIED = refused(403, "AccessDenied")
GONE = refused(404, "NoSuchKey")
NO_UPLOAD = refused(404, "NoSuchUpload")
TAKEN = refused(412, "PreconditionFailed")
BEGUN = ok("<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
PARTS = [Part(number=1, etag=ETAG, size=5), Part(number=2, etag=OTHER, size=5)]
WHOLE = etag_of_parts([ETAG, OTHER]) or ""
COMPLETED = ok(
    f"<CompleteMultipartUploadResult><ETag>{WHOLE}</ETag></CompleteMultipartUploadResult>"
)
NEW = NewObject(tags=NO_TAGS, acl={})
UPLOAD = Upload(key="k", upload_id="id", new=NEW, tags=NO_TAGS)


def complete(script: Script, upload: Upload = UPLOAD, parts: list[Part] = PARTS) -> Any:
    return script.parts.completion.complete_upload(upload, parts)


# Begun


def test_all_that_travels_with_an_object_is_sent_at_the_beginning() -> None:
    script = Script().on("InitiateMultipartUpload", BEGUN)
    new = NewObject(tags=NO_TAGS, acl={}, metadata={"m": "1"})
    upload = script.parts.multipart.start_upload("k", new)
    assert (upload.upload_id, upload.tags) == ("id", NO_TAGS)
    assert script.last.headers["x-amz-meta-m"] == "1"


def test_tags_of_what_is_replaced_are_sent_with_it() -> None:
    script = Script().on("GetObjectTagging", tag_set(a="b")).on("InitiateMultipartUpload", BEGUN)
    assert script.parts.multipart.start_upload("k", NewObject(acl={})).tags == AB
    assert script.last.headers["x-amz-tagging"] == "a=b"


@pytest.mark.parametrize(
    ("step", "kind"),
    [(DENIED, AccessDenied), (ok(""), MalformedResponse), (ok("<html>"), MalformedResponse)],
)
def test_an_upload_that_is_not_begun(step: Raw, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().on("InitiateMultipartUpload", step).parts.multipart.start_upload("k", NEW)


# Parts


def test_a_part_is_sent_until_it_is_there() -> None:
    good = ok(etag='"827ccb0eea8a706c4c34a16891f84e7b"')
    script = Script().on("UploadPart", LOST, ok(etag=f'"{OTHER}"'), good)
    part = script.parts.multipart.upload_part(UPLOAD, 3, DATA)
    assert (part.number, part.size, part.crc64) == (3, 5, crc64(DATA.data))
    assert script.last.query == {"partNumber": "3", "uploadId": "id"}


@pytest.mark.parametrize(("step", "kind"), [(NO_UPLOAD, NoSuchUpload), (DENIED, AccessDenied)])
def test_a_part_that_is_refused(step: Raw, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().on("UploadPart", step).parts.multipart.upload_part(UPLOAD, 1, DATA)


def listed(*numbers: int, marker: str = "") -> Raw:
    inner = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>{ETAG}</ETag><Size>5</Size></Part>"
        for n in numbers
    )
    more = f"<IsTruncated>true</IsTruncated><NextPartNumberMarker>{marker}</NextPartNumberMarker>"
    return ok(f"<ListPartsResult>{inner}{more if marker else ''}</ListPartsResult>")


def test_parts_are_listed_page_by_page() -> None:
    script = Script().on("ListParts", listed(1, 2, marker="2"), listed(3))
    assert [one.number for one in script.parts.multipart.list_parts(UPLOAD)] == [1, 2, 3]
    assert [one.query["part-number-marker"] for one in script.transport.sent] == ["0", "2"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (NO_UPLOAD, NoSuchUpload),
        (GONE, NoSuchUpload),  # Ceph RGW's word for it
        (listed(1, marker="0"), MalformedResponse),
        (listed(marker="5"), MalformedResponse),
        (ok("<html>"), MalformedResponse),
    ],
)
def test_parts_that_cannot_be_listed(step: Raw, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().on("ListParts", step).parts.multipart.list_parts(UPLOAD)


# Completed


def test_parts_become_an_object() -> None:
    script = Script().on("CompleteMultipartUpload", COMPLETED)
    made = complete(script, parts=PARTS[::-1])
    assert (made.etag, made.size) == (WHOLE, 10)
    body = script.all_of("CompleteMultipartUpload")[0].body
    assert isinstance(body, bytes)
    assert body.index(b">1<") < body.index(b">2<")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (NO_UPLOAD, NoSuchUpload),
        (DENIED, AccessDenied),
        (ok(""), MalformedResponse),
        (ok("<html>"), MalformedResponse),
    ],
)
def test_a_completion_that_is_none(step: Raw, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        complete(Script().on("CompleteMultipartUpload", step))


SAME = described(10, WHOLE)
NOT_OURS = described(10, OTHER)


@pytest.mark.parametrize(
    ("steps", "heads", "done"),
    [
        ([LOST], [SAME], True),  # the ETag says so: it is not sent again
        ([BUSY], [SAME], True),
        ([LOST, COMPLETED], [GONE], True),
        ([LOST, COMPLETED], [NOT_OURS], True),
        ([LOST, NO_UPLOAD], [GONE, SAME], True),
        ([LOST, NO_UPLOAD], [GONE, GONE], False),
        ([LOST, NO_UPLOAD], [GONE, described(10, f"{OTHER}-3")], False),
        ([LOST, NO_UPLOAD], [GONE, described(9, WHOLE)], False),
        ([NO_UPLOAD], [], False),
        # The right to look is not needed to complete.
        ([LOST, COMPLETED], [DENIED], True),
        ([LOST, NO_UPLOAD], [DENIED, DENIED], False),
    ],
)
def test_a_completion_whose_answer_was_lost(
    steps: list[Step], heads: list[Step], *, done: bool
) -> None:
    script = Script().on("CompleteMultipartUpload", *steps).on("HeadObject", *heads)
    if done:
        assert complete(script).etag == WHOLE
    else:
        with pytest.raises(NoSuchUpload):
            complete(script)
    assert script.unused == {}


@pytest.mark.parametrize(("head", "kind"), [(SAME, None), (NOT_OURS, AlreadyExists)])
def test_an_exclusive_completion_that_finds_something(head: Raw, kind) -> None:
    upload = Upload(key="k", upload_id="id", new=NewObject(tags=NO_TAGS, acl={}, exclusive=True))
    script = Script().on("CompleteMultipartUpload", LOST, TAKEN).on("HeadObject", GONE, head)
    script.features.trust_etags()
    if kind is None:
        assert complete(script, upload).etag == WHOLE
    else:
        with pytest.raises(kind):
            complete(script, upload)


def test_parts_that_are_not_what_was_sent_are_an_error() -> None:
    part = Part(number=1, etag=ETAG, size=5, crc64=crc64(DATA.data))
    body = "<CompleteMultipartUploadResult/>"
    script = Script("oss").on(
        "CompleteMultipartUpload", ok(body, etag='"e-1"', x_oss_hash_crc64ecma="1")
    )
    with pytest.raises(IntegrityError):
        complete(script, parts=[part])


@pytest.mark.parametrize(("named", "md5", "etag"), [("", True, WHOLE), ("", False, None)])
def test_a_completion_without_an_etag(named: str, etag: str | None, *, md5: bool) -> None:
    body = f"<CompleteMultipartUploadResult>{named}</CompleteMultipartUploadResult>"
    script = Script().on("CompleteMultipartUpload", ok(body))
    if not md5:
        script.features.distrust_etags("x")
    if etag:
        assert complete(script).etag == etag
    else:
        with pytest.raises(MalformedResponse):
            complete(script)


# Tags edited meanwhile


def test_an_edit_since_the_beginning_is_set_again() -> None:
    script = Script().on("InitiateMultipartUpload", BEGUN)
    script.features.note_heeded(proves_tags=True)
    upload = script.parts.multipart.start_upload("k", NEW)
    script.on("PutObjectTagging", ok(), ok()).on("CompleteMultipartUpload", COMPLETED)
    script.parts.tags.put_tags("k", AB)
    assert complete(script, upload).detail.tag_count == 1
    assert script.last.operation == "PutObjectTagging"


def test_an_edit_that_fails_is_set_by_the_next_try_alone() -> None:
    script = Script().on("InitiateMultipartUpload", BEGUN)
    script.features.note_heeded(proves_tags=True)
    upload = script.parts.multipart.start_upload("k", NEW)
    script.on("PutObjectTagging", ok(), DENIED, ok()).on("CompleteMultipartUpload", COMPLETED)
    script.parts.tags.put_tags("k", AB)
    with pytest.raises(AccessDenied):
        complete(script, upload)
    complete(script, upload)
    assert script.asked.count("CompleteMultipartUpload") == 1


@pytest.mark.parametrize(
    ("step", "set_again"),
    [(tag_set(), False), (tag_set(a="b"), True), (GONE, False), (DENIED, False)],
)
def test_edits_by_other_clients_are_looked_for(step: Raw, *, set_again: bool) -> None:
    """An upload that this process did not begin: after a crash only the service knows."""
    upload = Upload(key="k", upload_id="id", new=NewObject(acl={}), tags=NO_TAGS)
    script = Script().on("GetObjectTagging", step).on("CompleteMultipartUpload", COMPLETED)
    script.features.note_heeded(proves_tags=True)
    script.on("PutObjectTagging", ok())
    complete(script, upload)
    assert ("PutObjectTagging" in script.asked) is set_again


# Thrown away


@pytest.mark.parametrize("step", [ok(), NO_UPLOAD])
def test_an_upload_ends(step: Raw) -> None:
    Script().on("AbortMultipartUpload", step).parts.multipart.abort_upload(UPLOAD)


@pytest.mark.parametrize(("trial", "sent"), [(NO_UPLOAD, 2), (ok(), 1), (DENIED, 1)])
def test_where_ids_are_ignored_its_end_would_be_a_deletion(caplog, trial: Raw, sent: int) -> None:
    script = Script("s3", "Odd").on("AbortMultipartUpload", trial, ok())
    script.features.note_ignored("a listing")
    script.parts.multipart.abort_upload(UPLOAD)
    assert len(script.asked) == sent
    assert script.transport.sent[0].key != "k"
    assert ("left behind" in caplog.text) is (sent == 1)


def test_one_that_stays_is_logged(caplog) -> None:
    Script().on("AbortMultipartUpload", DENIED).parts.multipart.abort_quietly(UPLOAD)
    assert "an upload of 'k' is left behind" in caplog.text


# Parts copied from another object

SOURCE = info("s", 5)
COPIED = copied()


def copy_part(script: Script) -> Part:
    return script.parts.part_copies.copy_part(UPLOAD, 1, SOURCE, 2, 3)


def test_a_part_is_copied_from_one_version() -> None:
    script = Script("oss").on("UploadPartCopy", COPIED)
    assert copy_part(script) == Part(number=1, etag=ETAG, size=3)
    assert script.last.headers["x-oss-copy-source-range"] == "bytes=2-4"
    assert script.last.headers["x-oss-copy-source-if-match"] == f'"{ETAG}"'


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (TAKEN, ObjectChanged),
        (NO_UPLOAD, NoSuchUpload),
        (copied(""), MalformedResponse),
        (ok("<html>"), MalformedResponse),
        (ok(""), FeatureMissing),
        (refused(501, "NotImplemented"), FeatureMissing),
    ],
)
def test_a_part_that_is_not_copied(step: Raw, kind: type[TagfsError]) -> None:
    script = Script("oss").on("UploadPartCopy", step)
    with pytest.raises(kind):
        copy_part(script)
    assert script.features.capabilities.part_copies is (kind is not FeatureMissing)


@pytest.mark.parametrize(
    ("trial", "etag", "kind"),
    [
        (TAKEN, OTHER, None),  # the condition holds: nothing is left to look at
        (COPIED, ETAG, None),  # it is ignored, and the source is the same
        (COPIED, OTHER, ObjectChanged),
    ],
)
def test_a_source_is_looked_at_again_where_its_condition_is_ignored(trial, etag, kind) -> None:
    """Parts of two versions must not become one object."""
    script = Script().on("UploadPartCopy", trial, COPIED, COPIED)
    script.on("HeadObject", described(etag=etag)).on("CompleteMultipartUpload", COMPLETED)
    copy_part(script)
    copy_part(script)
    assert len(script.asked) == 3  # one on trial
    if kind is None:
        complete(script)
    else:
        with pytest.raises(kind):
            complete(script)
    assert ("HeadObject" in script.asked) is (trial is COPIED)


def test_a_copy_by_parts_leaves_nothing_behind_when_it_fails() -> None:
    script = Script("oss").on("InitiateMultipartUpload", BEGUN).on("UploadPartCopy", DENIED)
    script.on("AbortMultipartUpload", ok())
    with pytest.raises(AccessDenied):
        script.parts.part_copies.copy_by_parts(SOURCE, "k", NEW)
    assert script.last.operation == "AbortMultipartUpload"


# What is known of uploads under way


def test_an_upload_is_recent_for_a_moment() -> None:
    clock = FakeClock()
    uploads = OpenUploads(clock)
    uploads.begin("k", "id")
    assert (uploads.is_recent("id"), uploads.is_known("k", "id")) == (True, True)
    clock.now += 2
    assert not uploads.is_recent("id")
    uploads.end("k", "id")
    assert not uploads.is_known("k", "id")


def test_an_edit_is_of_all_uploads_of_its_key() -> None:
    uploads = OpenUploads(FakeClock())
    for upload_id in ("one", "two"):
        uploads.begin("k", upload_id)
    uploads.begin("other", "three")
    uploads.record_tag_edit("k", AB)
    edits = uploads.edited("k", "one"), uploads.edited("k", "two"), uploads.edited("other", "three")
    assert edits == (AB, AB, None)


def test_sources_are_distinguished_by_their_version() -> None:
    uploads = OpenUploads(FakeClock())
    for etag in (ETAG, OTHER, ETAG):
        uploads.record_copy_source("id", info("s", etag=etag))
    assert len(uploads.sources("id")) == 2
    uploads.forget_sources("id")
    assert uploads.sources("id") == []
