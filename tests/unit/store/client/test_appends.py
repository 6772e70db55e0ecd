"""Appendable objects: an append is not repeated where the first may have taken effect."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    FileTooLarge,
    IntegrityError,
    PositionMismatch,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.objects import BytesSource, Detail, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS
from tagfs.store.wire.checksums import combine, crc64
from tests.unit.store.client.scripted import (
    BUSY,
    DATE,
    ETAG,
    LOST,
    Raw,
    Script,
    Step,
    described,
    info,
    ok,
    refused,
)

DATA = BytesSource(b"67890")
OLD = info(type=ObjectType.APPENDABLE, detail=Detail(crc64=crc64(b"12345")))
SUM = combine(crc64(b"12345"), crc64(DATA.data), 5)
NEW = NewObject(tags=NO_TAGS, acl={})
GONE = refused(404, "NoSuchKey")


def appended(crc: int = SUM) -> Raw:
    return ok(etag='"e"', x_oss_hash_crc64ecma=str(crc))


def misplaced(length: int) -> Raw:
    answer = refused(409, "PositionNotEqualToLength")
    return answer._replace(headers={"x-oss-next-append-position": str(length)})


def tail(data: bytes) -> Raw:
    return ok(
        data, etag='"e"', last_modified=DATE, content_range="bytes 5-9/10", content_length="5"
    )._replace(status=206)


def append(script: Script) -> ObjectInfo:
    return script.parts.appends.append(OLD, DATA)


def test_bytes_are_added_at_the_end() -> None:
    script = Script("oss").on("AppendObject", appended())
    made = append(script)
    assert (made.size, made.etag) == (10, "e")
    assert made.detail is not None
    assert made.detail.crc64 == SUM
    assert script.last.query == {"append": "", "position": "5"}


def test_nothing_is_added_by_no_request() -> None:
    script = Script("oss")
    assert script.parts.appends.append(OLD, BytesSource(b"")) is OLD
    assert script.asked == []


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (misplaced(7), PositionMismatch),
        (appended(1), IntegrityError),
        (refused(403, "AccessDenied"), AccessDenied),
        (refused(409, "ObjectNotAppendable"), Unsupported),
        (LOST, Unreachable),
    ],
)
def test_an_append_that_fails(step: Step, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        append(Script("oss").on("AppendObject", step))


@pytest.mark.parametrize("step", [LOST, BUSY])
@pytest.mark.parametrize(
    ("length", "there", "ours"),
    [
        (10, DATA.data, True),
        (10, b"other", False),  # another client's
        (7, None, False),
        (15, DATA.data, True),  # ours, and another client's after it
    ],
)
def test_an_append_whose_answer_was_lost(
    step: Step, length: int, there: bytes | None, *, ours: bool
) -> None:
    """The bytes that are there show whose they are."""
    script = Script("oss").on("AppendObject", step, misplaced(length))
    script.on("HeadObject", described(length))
    if there is not None:
        script.on("GetObject", tail(there))
    if ours:
        append(script)
    else:
        with pytest.raises(PositionMismatch):
            append(script)
    assert script.asked.count("AppendObject") == 2


def test_a_length_that_no_answer_has_is_looked_at() -> None:
    script = Script("oss").on("AppendObject", refused(409, "PositionNotEqualToLength"))
    with pytest.raises(PositionMismatch) as raised:
        append(script.on("HeadObject", described(7)))
    assert raised.value.length == 7


def test_what_would_be_too_large_is_not_sent() -> None:
    script = Script("oss")
    huge = info(size=script.dialect.limits.max_put, type=ObjectType.APPENDABLE)
    with pytest.raises(FileTooLarge):
        script.parts.appends.append(huge, DATA)
    assert script.asked == []


# The first bytes


def start(script: Script) -> ObjectInfo:
    return script.parts.appends.start_append("k", DATA, NEW)


def test_an_object_begins_where_there_is_none() -> None:
    script = Script("oss").on("HeadObject", GONE).on("AppendObject", appended(crc64(DATA.data)))
    made = start(script)
    assert (made.type, made.size) == (ObjectType.APPENDABLE, 5)
    assert script.last.query["position"] == "0"


@pytest.mark.parametrize(
    ("head", "step", "kind"),
    [
        (described(), None, AlreadyExists),
        (GONE, misplaced(3), AlreadyExists),
        (GONE, refused(409, "ObjectNotAppendable"), AlreadyExists),
        (GONE, appended(1), IntegrityError),
    ],
)
def test_one_that_does_not_begin(head: Raw, step: Raw | None, kind: type[TagfsError]) -> None:
    script = Script("oss").on("HeadObject", head)
    if step is not None:
        script.on("AppendObject", step)
    with pytest.raises(kind):
        start(script)


@pytest.mark.parametrize(("crc", "ours"), [(crc64(DATA.data), True), (1, False)])
def test_a_beginning_whose_answer_was_lost(crc: int, *, ours: bool) -> None:
    found = described(5, ETAG, x_oss_object_type="Appendable", x_oss_hash_crc64ecma=str(crc))
    script = Script("oss").on("AppendObject", LOST, misplaced(5)).on("HeadObject", GONE, found)
    if ours:
        assert start(script).etag == ETAG
    else:
        with pytest.raises(AlreadyExists):
            start(script)
