"""Objects made and replaced: the condition, the checksum, and what became of a lost answer."""

import hashlib
import logging

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    FileTooLarge,
    IntegrityError,
    QuotaExceeded,
    Refused,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.http.messages import Request
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.wire.checksums import crc64
from tests.unit.store.client.scripted import (
    BUSY,
    DATE,
    DATE_NS,
    LOST,
    OTHER,
    Raw,
    Script,
    Step,
    described,
    listing,
    ok,
    refused,
    tag_set,
)

DATA = BytesSource(b"12345")
MD5 = hashlib.md5(DATA.data).hexdigest()
DONE = ok(etag=f'"{MD5}"')
GARBLED = ok(etag=f'"{OTHER}"')
GONE = refused(404, "NoSuchKey")
DENIED = refused(403, "AccessDenied")
TAKEN = refused(412, "PreconditionFailed")
NEW = NewObject(tags=NO_TAGS, acl={})
EXCLUSIVE = NewObject(tags=NO_TAGS, acl={}, exclusive=True)


def put(script: Script, new: NewObject = NEW) -> ObjectInfo:
    return script.parts.writes.put("k", DATA, new)


def conditions(script: Script) -> list[str | None]:
    return [one.headers.get("if-none-match") for one in script.all_of("PutObject")]


def test_a_write_is_one_request() -> None:
    script = Script().on("PutObject", DONE)
    made = put(script, NewObject(tags=NO_TAGS, acl={}, metadata={"Mode": "1"}))
    assert (made.key, made.size, made.etag, made.last_modified_ns) == ("k", 5, MD5, DATE_NS)
    assert made.detail is not None
    assert made.detail.metadata == {"mode": "1"}
    assert script.asked == ["PutObject"]
    assert script.last.headers["x-amz-meta-mode"] == "1"


def test_what_is_replaced_leaves_its_tags_to_it() -> None:
    script = Script(annotations="off").on("GetObjectTagging", tag_set(a="b")).on("PutObject", DONE)
    put(script, NewObject())
    assert script.last.headers["x-amz-tagging"] == "a=b"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (DENIED, AccessDenied),
        (refused(403, "QuotaExceeded"), QuotaExceeded),
        (refused(400), Refused),
    ],
)
def test_a_write_that_is_refused(step: Raw, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        put(Script().on("PutObject", step))


def test_what_one_request_cannot_take_is_not_sent() -> None:
    class Large:
        size = 6 * 1024**3

        def read(self, offset: int, length: int) -> bytes:
            raise AssertionError((offset, length))

    script = Script()
    with pytest.raises(FileTooLarge):
        script.parts.writes.put("k", Large(), NEW)
    assert script.asked == []


@pytest.mark.parametrize("date", ["rubbish", "Tue, 99 Foo 2024 03:04:05 GMT", ""])
def test_a_date_that_cannot_be_read_is_no_failure_of_what_was_written(date: str) -> None:
    made = put(Script().on("PutObject", Raw(200, {"etag": f'"{MD5}"', "date": date})))
    assert made.last_modified_ns == DATE_NS


# Checksums


def test_a_checksum_that_differs_is_sent_again_with_the_md5_first() -> None:
    script = Script().on("PutObject", GARBLED, DONE)
    assert put(script).etag == MD5
    assert [one.md5_first for one in script.transport.sent] == [False, True]


@pytest.mark.parametrize("service", ["s3", "oss"])
def test_one_that_differs_each_time_is_an_error(service: str) -> None:
    wrong = ok(etag=f'"{OTHER}"', x_oss_hash_crc64ecma="1")
    script = Script(service).on("PutObject", *[wrong] * 3)
    if service == "s3":
        script.features.trust_etags()
    with pytest.raises(IntegrityError):
        put(script)
    assert len(script.asked) == 3


def test_an_etag_that_is_no_md5_is_known_by_the_md5_that_was_accepted(caplog) -> None:
    script = Script("s3", "Odd").on("PutObject", GARBLED, GARBLED, GARBLED)
    put(script)
    put(script)
    assert script.features.md5_etags is False
    reported = [one.levelno for one in caplog.records if one.levelno > logging.INFO]
    assert reported == [logging.WARNING]


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_server_side_encryption": "aws:kms"},
        {"x_amz_server_side_encryption_customer_algorithm": "AES256"},
    ],
)
def test_what_is_encrypted_has_an_etag_of_its_own(headers) -> None:
    script = Script().on("PutObject", ok(etag=f'"{OTHER}"', **headers))
    assert put(script).etag == OTHER


def test_a_garbled_exclusive_write_may_replace_what_it_made() -> None:
    script = Script().on("PutObject", GARBLED, DONE)
    put(script, EXCLUSIVE)
    assert conditions(script) == ["*", None]


# Exclusive writes


def test_an_exclusive_write_names_its_condition() -> None:
    script = Script().on("PutObject", DONE)
    put(script, EXCLUSIVE)
    assert conditions(script) == ["*"]


def test_a_key_that_is_taken() -> None:
    with pytest.raises(AlreadyExists):
        put(Script().on("PutObject", TAKEN), EXCLUSIVE)


@pytest.mark.parametrize(("head", "free"), [(GONE, True), (described(), False)])
def test_where_there_are_no_conditions_it_is_looked_at_first(head: Raw, *, free: bool) -> None:
    script = Script().on("PutObject", refused(501, "NotImplemented"), DONE, DONE)
    script.on("HeadObject", head, head)
    if not free:
        with pytest.raises(AlreadyExists):
            put(script, EXCLUSIVE)
        return
    put(script, EXCLUSIVE)
    put(script, EXCLUSIVE)
    assert conditions(script) == ["*", None, None]
    assert script.asked == ["PutObject", "HeadObject", "PutObject", "HeadObject", "PutObject"]


def test_where_conditions_may_be_ignored_it_is_looked_at_as_well() -> None:
    script = Script("s3", "Odd").on("HeadObject", described())
    script.features.note_ignored("a listing")
    with pytest.raises(AlreadyExists):
        put(script, EXCLUSIVE)
    assert "PutObject" not in script.asked


def test_tags_that_are_not_implemented_are_not_taken_for_a_condition() -> None:
    refusal = refused(501, "NotImplemented", Message="x-amz-tagging is not implemented")
    script = Script().on("GetBucketTags", refused(404, "NoSuchTagSet")).on("PutObject", refusal)
    with pytest.raises(FeatureMissing):
        put(script, NewObject(tags=TagSet({"a": "b"}), acl={}, exclusive=True))
    assert script.features.capabilities.exclusive
    assert not script.features.capabilities.object_tags


# Lost answers


@pytest.mark.parametrize("step", [LOST, BUSY])
def test_a_write_without_an_answer_is_repeated(step: Step) -> None:
    script = Script().on("PutObject", step, DONE)
    assert put(script).etag == MD5


def found(*, metadata: str = "1", size: int = 5, crc: int | None = None, date: str = DATE) -> Raw:
    checksum = {} if crc is None else {"x_oss_hash_crc64ecma": str(crc)}
    answer = described(size, MD5, x_oss_meta_a=metadata, x_amz_meta_a=metadata, **checksum)
    return answer._replace(headers={**answer.headers, "last-modified": date})


@pytest.mark.parametrize(
    ("service", "head", "ours"),
    [
        ("oss", found(crc=crc64(DATA.data)), True),
        ("oss", found(crc=1), False),
        ("oss", found(), False),  # without its checksum nothing is proved
        ("oss", found(crc=crc64(DATA.data), metadata="2"), False),
        ("oss", found(crc=crc64(DATA.data), size=6), False),
        ("oss", found(crc=crc64(DATA.data), date="Mon, 01 Jan 2024 03:04:05 GMT"), True),
        ("s3", found(), True),
        ("s3", found(metadata="2"), False),
        ("s3", found(size=6), False),
    ],
)
def test_an_exclusive_write_that_finds_its_own_object(
    service: str, head: Raw, *, ours: bool
) -> None:
    """The first attempt was lost, and the second says "taken": by whom is compared."""
    code = "FileAlreadyExists" if service == "oss" else "PreconditionFailed"
    script = Script(service).on("PutObject", LOST, refused(409, code)).on("HeadObject", head)
    script.features.trust_etags()
    new = NewObject(tags=NO_TAGS, acl={}, exclusive=True, metadata={"a": "1"})
    if ours:
        assert put(script, new).etag == MD5
    else:
        with pytest.raises(AlreadyExists):
            put(script, new)


def test_one_that_was_refused_at_once_is_not_looked_at() -> None:
    script = Script().on("PutObject", TAKEN)
    with pytest.raises(AlreadyExists):
        put(script, EXCLUSIVE)
    assert script.asked == ["PutObject"]


def test_a_conflict_that_cannot_be_looked_at_is_one() -> None:
    script = Script().on("PutObject", LOST, TAKEN).on("HeadObject", DENIED)
    with pytest.raises(AccessDenied):
        put(script, EXCLUSIVE)


def test_no_answer_at_all() -> None:
    with pytest.raises(Unreachable):
        put(Script().on("PutObject", LOST))


# Conditions on copies, which some servers take for those on the source


COPY = Request(
    operation="CopyObject",
    method="PUT",
    key="k",
    headers={"if-none-match": "*"},
    subresource="copy",
)


@pytest.mark.parametrize(("head", "free"), [(GONE, True), (described(), False), (DENIED, False)])
def test_a_copy_that_is_refused_though_nothing_is_there(head: Raw, *, free: bool) -> None:
    script = Script("s3", "Odd").on("CopyObject", TAKEN, ok()).on("HeadObject", head, head)
    script.on("ListObjects", listing("k"))
    conditional = script.parts.copies._conditional
    answer = conditional.send_guarded(COPY, conditional.send)
    assert (answer.error is None) is free
    assert script.features.capabilities.exclusive_copies is not free
    assert script.features.capabilities.exclusive
