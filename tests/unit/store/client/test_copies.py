"""Copies and edits of metadata: what is sent, what stays, what an odd answer means."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    IntegrityError,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.server_time import MAX_SERVER_TIME, server_time
from tagfs.store.objects import Detail, Keep
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import (
    BUSY,
    DATE_NS,
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

GONE = refused(404, "NoSuchKey")
DENIED = refused(403, "AccessDenied")
TAKEN = refused(412, "PreconditionFailed")
AB = TagSet({"a": "b"})
SOURCE = info("s", detail=Detail(metadata={"m": "1"}, headers={"content-type": "t/x"}))


def sent(script: Script) -> dict[str, str]:
    headers = script.all_of("CopyObject")[-1].headers
    return {name.removeprefix("x-amz-"): text for name, text in headers.items()}


# Copies


def test_a_copy_is_one_request_and_of_one_version() -> None:
    script = Script().on("CopyObject", copied(OTHER))
    made = script.parts.copies.copy(SOURCE, "k")
    assert (made.key, made.size, made.etag, made.last_modified_ns) == ("k", 5, OTHER, DATE_NS)
    assert sent(script) == {
        "copy-source": "/bucket/s",
        "copy-source-if-match": f'"{ETAG}"',
        "metadata-directive": "COPY",
        "tagging-directive": "COPY",
        "storage-class": "Standard",
    }


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (GONE, NotFound),
        (DENIED, AccessDenied),
        (TAKEN, ObjectChanged),
        (ok(""), MalformedResponse),
        (ok("<html>"), MalformedResponse),
        (ok("<ListBucketResult/>"), MalformedResponse),
        (LOST, Unreachable),
    ],
)
def test_a_copy_that_is_none(step: Step, kind: type[TagfsError]) -> None:
    """... is an error: the caller deletes the source next."""
    with pytest.raises(kind):
        Script("s3", "Odd").on("CopyObject", step).parts.copies.copy(SOURCE, "k")


@pytest.mark.parametrize("step", [LOST, BUSY, ok("<Error><Code>InternalError</Code></Error>")])
def test_a_copy_without_an_answer_is_repeated(step: Step) -> None:
    script = Script().on("CopyObject", step, copied())
    assert script.parts.copies.copy(SOURCE, "k").etag == ETAG


@pytest.mark.parametrize(("size", "kind"), [(5, None), (0, IntegrityError)])
def test_a_copy_without_an_etag_is_looked_at(size: int, kind) -> None:
    script = Script().on("CopyObject", copied("")).on("HeadObject", described(size))
    if kind is None:
        assert script.parts.copies.copy(SOURCE, "k").etag == ETAG
    else:
        with pytest.raises(kind):
            script.parts.copies.copy(SOURCE, "k")


@pytest.mark.parametrize(("key", "other"), [("s", "s"), ("s", ""), ("s", "/k"), ("", "k")])
def test_what_cannot_be_copied_is_not_sent(key: str, other: str) -> None:
    script = Script()
    with pytest.raises(InvalidRequest):
        script.parts.copies.copy(info(key), other)
    assert script.asked == []


def test_an_exclusive_copy_that_finds_itself() -> None:
    script = Script().on("CopyObject", LOST, TAKEN)
    script.on("HeadObject", described(etag=ETAG, x_amz_meta_m="1"))
    assert script.parts.copies.copy(SOURCE, "k", exclusive=True).etag == ETAG


@pytest.mark.parametrize("head", [described(etag=OTHER), described(6)])
def test_an_exclusive_copy_that_finds_anothers(head: Raw) -> None:
    script = Script().on("CopyObject", LOST, TAKEN).on("HeadObject", head)
    with pytest.raises(AlreadyExists):
        script.parts.copies.copy(SOURCE, "k", exclusive=True)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (Keep.SOURCE, {"tagging-directive": "COPY"}),
        (AB, {"tagging-directive": "REPLACE", "tagging": "a=b"}),
        (NO_TAGS, {"tagging-directive": "REPLACE"}),
    ],
)
def test_the_tags_of_a_copy(tags, expected: dict[str, str]) -> None:
    script = (
        Script()
        .on("CopyObject", copied())
        .on("GetObjectTagging", tag_set(a="b") if tags == AB else tag_set())
    )
    script.parts.copies.copy(SOURCE, "k", tags=tags)
    assert {name: text for name, text in sent(script).items() if "tagging" in name} == expected


def test_where_there_are_no_tags_no_copy_names_them() -> None:
    script = Script().on("CopyObject", copied())
    script.features.disable("object_tags", "R2")
    script.parts.copies.copy(SOURCE, "k")
    assert not [name for name in sent(script) if "tagging" in name]


def test_a_copy_with_other_metadata_keeps_the_tags() -> None:
    """... which some servers drop then: they are read before, and looked for once."""
    script = Script().on("GetObjectTagging", tag_set(a="b"), tag_set(), tag_set(a="b"))
    script.on("CopyObject", copied()).on("PutObjectTagging", ok())
    script.parts.copies.copy(SOURCE, "k", metadata={"M": "2"})
    assert (sent(script)["metadata-directive"], sent(script)["meta-m"]) == ("REPLACE", "2")
    assert script.last.operation == "PutObjectTagging"
    assert script.last.key == "k"


def test_an_encryption_that_no_copy_keeps_is_sent_again() -> None:
    headers = {"server-side-encryption": "aws:kms"}
    script = Script().on("CopyObject", copied())
    script.parts.copies.copy(info("s", detail=Detail(headers=headers)), "k")
    assert sent(script)["server-side-encryption"] == "aws:kms"


@pytest.mark.parametrize("seen", [False, True])
def test_a_listed_source_is_looked_at_where_encryption_was_seen(*, seen: bool) -> None:
    script = Script().on("CopyObject", copied()).on("HeadObject", described())
    if seen:
        script.features.note_uncopied()
    script.parts.copies.copy(info("s"), "k")
    assert ("HeadObject" in script.asked) is seen


def test_where_the_source_of_a_copy_is_ignored_nothing_is_copied() -> None:
    script = Script("s3", "Odd").on("CopyObject", ok("")).on("DeleteObject", ok())
    script.features.note_ignored("a listing")
    with pytest.raises(FeatureMissing):
        script.parts.copies.copy(SOURCE, "k")
    assert [(one.key or "")[:7] for one in script.transport.sent] == [".tagfs-"] * 2


# ACLs of copies


@pytest.mark.parametrize(("step", "kind"), [(ok(), None), (DENIED, AccessDenied)])
def test_a_copy_gets_the_acl_of_its_source(step: Raw, kind) -> None:
    """... and goes where it would be open to others without it."""
    private = ok(
        "<AccessControlPolicy><AccessControlList><Grant>private</Grant></AccessControlList>"
        "</AccessControlPolicy>"
    )
    script = Script("oss", acl="keep").on("GetObjectAcl", private).on("CopyObject", copied())
    script.on("PutObjectAcl", step).on("HeadObject", described()).on("DeleteObject", ok())
    if kind is None:
        script.parts.copies.copy(SOURCE, "k")
    else:
        with pytest.raises(kind):
            script.parts.copies.copy(SOURCE, "k")
    assert ("DeleteObject" in script.asked) is (kind is not None)
    assert script.all_of("PutObjectAcl")[0].headers == {"x-oss-object-acl": "private"}


# Edits of metadata


def test_metadata_is_replaced_by_a_copy_onto_itself() -> None:
    script = Script().on("GetObjectTagging", tag_set(), tag_set()).on("CopyObject", copied())
    before = info(detail=Detail(metadata={"m": "1"}, tag_count=0, crc64=7))
    made = script.parts.edits.set_metadata(before, {"M": "2"}, {"content-type": "t/y"})
    assert (sent(script)["copy-source"], sent(script)["metadata-directive"]) == (
        "/bucket/k",
        "REPLACE",
    )
    assert sent(script)["copy-source-if-match"] == f'"{ETAG}"'
    assert made.detail is not None
    assert (made.detail.metadata, made.detail.tag_count, made.detail.crc64) == ({"m": "2"}, 0, 7)


def test_known_tags_are_not_asked_for() -> None:
    script = Script().on("CopyObject", copied()).on("GetObjectTagging", tag_set(a="b"))
    script.parts.edits.set_metadata(info(), {}, {}, known_tags=AB)
    assert script.asked == ["CopyObject", "GetObjectTagging"]


def test_metadata_is_replaced_by_a_request_of_its_own_where_there_is_one() -> None:
    script = Script("obs").on("HeadObject", described(x_obs_tagging_count="1"))
    script.on("SetObjectMetadata", ok())
    made = script.parts.edits.set_metadata(info(), {"m": "2"}, {}, known_tags=NO_TAGS)
    assert script.last.headers["x-obs-meta-m"] == "2"
    assert made.detail is not None
    assert made.detail.tag_count == 1


def test_that_request_knows_no_condition_so_it_is_looked_at_first() -> None:
    script = Script("obs").on("HeadObject", described(etag=OTHER))
    with pytest.raises(ObjectChanged):
        script.parts.edits.set_metadata(info(), {"m": "2"}, {}, known_tags=NO_TAGS)
    assert "SetObjectMetadata" not in script.asked


@pytest.mark.parametrize(
    ("step", "kind"),
    [(TAKEN, ObjectChanged), (GONE, NotFound), (DENIED, AccessDenied), (ok(""), MalformedResponse)],
)
def test_an_edit_that_is_refused(step: Raw, kind: type[TagfsError]) -> None:
    script = Script("s3", "Odd").on("CopyObject", step)
    with pytest.raises(kind):
        script.parts.edits.set_metadata(info(), {}, {}, known_tags=NO_TAGS)


def test_tags_that_may_not_be_read_stop_an_edit_that_may_drop_them() -> None:
    script = Script("s3", "Odd").on("GetObjectTagging", DENIED).on("HeadObject", described())
    with pytest.raises(AccessDenied):
        script.parts.edits.set_metadata(info(), {}, {})
    assert "CopyObject" not in script.asked


# How long a service may need


@pytest.mark.parametrize(
    ("size", "parts", "seconds"),
    [(0, 0, 0.0), (16 * 1024**2, 0, 1.0), (0, 100, 3.0), (1024**4, 0, MAX_SERVER_TIME)],
)
def test_a_service_may_need_time_in_proportion(size: int, parts: int, seconds: float) -> None:
    assert server_time(size, parts) == pytest.approx(seconds)
