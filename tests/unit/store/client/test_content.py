"""Bytes of objects: which range was asked for, which came, and whether they are those stored."""

import hashlib
from typing import Any

import pytest

from tagfs.errors import (
    Archived,
    IntegrityError,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.wire.checksums import crc64
from tests.unit.store.client.scripted import (
    DATE,
    ETAG,
    LOST,
    OTHER,
    Raw,
    Script,
    described,
    ok,
    refused,
)

DATA = b"12345"
MD5 = hashlib.md5(DATA).hexdigest()


def whole(data: bytes = DATA, *, etag: str = ETAG, **headers: Any) -> Raw:
    return ok(
        data,
        etag=f'"{etag}"',
        last_modified=DATE,
        content_length=str(len(data)),
        **headers,
    )


def part(data: bytes, span: str, status: int = 206, **headers: Any) -> Raw:
    return whole(data, content_range=f"bytes {span}", **headers)._replace(status=status)


@pytest.mark.parametrize(
    ("start", "length", "header"),
    [(0, None, None), (0, 3, "bytes=0-2"), (2, None, "bytes=2-"), (2, 3, "bytes=2-4")],
)
def test_a_range_is_asked_for_as_http_says(start: int, length: int | None, header) -> None:
    end = 5 if length is None else start + length
    plain = whole(etag=MD5) if header is None else part(DATA[start:end], f"{start}-{end - 1}/5")
    script = Script().on("GetObject", plain)
    content = script.parts.content.get("k", start, length, if_match=None)
    assert (content.data, content.start, content.info.size) == (DATA[start:end], start, 5)
    assert script.last.headers.get("range") == header


def test_a_version_is_asked_for_by_its_etag() -> None:
    script = Script().on("GetObject", whole(etag=MD5))
    script.parts.content.get("k", if_match=MD5)
    assert script.last.headers["if-match"] == f'"{MD5}"'


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([refused(404, "NoSuchKey")], NotFound),
        ([refused(412, "PreconditionFailed")], ObjectChanged),
        ([refused(403, "InvalidObjectState")], Archived),
        ([whole(etag=OTHER)], ObjectChanged),  # the condition was ignored
    ],
)
def test_what_is_not_there_as_meant(steps, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().on("GetObject", *steps).parts.content.get("k", if_match=ETAG)


ODD = {
    "another range": part(b"123", "0-2/5"),
    "shorter than it says": part(b"34", "2-4/5"),
    "a range past the whole": part(b"345", "2-4/4"),
    "no range": Raw(206, whole(b"345").headers, b"345"),
    "from the beginning": whole(b"12345"),
    "other units": whole(b"345", content_range="lines 2-4/5"),
    "decompressed": whole(b"345", x_goog_stored_content_encoding="gzip"),
}


@pytest.mark.parametrize("name", ODD)
def test_other_bytes_than_were_asked_for_are_never_returned(name: str) -> None:
    script = Script().on("GetObject", *[ODD[name]] * 3).on("HeadObject", *[described()] * 3)
    with pytest.raises(MalformedResponse):
        script.parts.content.get("k", 2, 3)
    assert script.asked.count("GetObject") == 3


def test_other_bytes_once_are_read_again() -> None:
    good = part(b"345", "2-4/5")
    script = Script().on("GetObject", ODD["another range"], good).on("HeadObject", described())
    assert script.parts.content.get("k", 2, 3).data == b"345"


def test_a_range_answered_with_200_is_one_all_the_same() -> None:
    script = Script().on("GetObject", part(b"345", "2-4/5", status=200))
    assert script.parts.content.get("k", 2, 3).data == b"345"


@pytest.mark.parametrize(("size", "fits"), [(5, True), (9, False)])
def test_a_whole_body_for_a_range_is_held_against_the_object(size: int, *, fits: bool) -> None:
    """A body without a word of its range may be any part of the object."""
    script = Script().on("GetObject", *[whole(etag=MD5)] * 3)
    script.on("HeadObject", *[described(size, MD5)] * 6)
    if fits:
        assert script.parts.content.get("k", 0, 100).data == DATA
    else:
        with pytest.raises(MalformedResponse):
            script.parts.content.get("k", 0, 100)


@pytest.mark.parametrize(("start", "size", "fits"), [(5, 5, True), (9, 5, True), (3, 5, False)])
def test_past_the_end_there_is_nothing(start: int, size: int, *, fits: bool) -> None:
    answers = [refused(416, "InvalidRange")] * 3
    script = Script().on("GetObject", *answers).on("HeadObject", *[described(size)] * 6)
    if fits:
        assert script.parts.content.get("k", start, 4).data == b""
    else:
        with pytest.raises(MalformedResponse):
            script.parts.content.get("k", start, 4)


@pytest.mark.parametrize(("etag", "fits"), [(ETAG, True), (OTHER, False)])
def test_no_bytes_are_of_one_version_too(etag: str, *, fits: bool) -> None:
    script = Script().on("HeadObject", described())
    if fits:
        assert script.parts.content.get("k", 0, 0, if_match=etag).data == b""
    else:
        with pytest.raises(ObjectChanged):
            script.parts.content.get("k", 0, 0, if_match=etag)


# Checksums


def test_an_md5_that_fits_is_trusted_from_then_on() -> None:
    script = Script().on("GetObject", whole(etag=MD5))
    script.parts.content.get("k")
    assert script.features.md5_etags is True


@pytest.mark.parametrize("service", ["s3", "oss"])
def test_garbled_content_is_read_again_and_then_an_error(service: str) -> None:
    checksum: dict[str, Any] = (
        {"x_oss_hash_crc64ecma": str(crc64(DATA))} if service == "oss" else {}
    )
    garbled = whole(b"1234x", etag=MD5, **checksum)
    good = whole(etag=MD5, **checksum)
    script = Script(service).on("GetObject", garbled, good).on("HeadObject", *[described()] * 4)
    assert script.parts.content.get("k").data == DATA
    script.on("GetObject", *[garbled] * 3)
    with pytest.raises(IntegrityError):
        script.parts.content.get("k")


@pytest.mark.parametrize(
    ("server", "bodies", "fails"),
    [
        ("AmazonS3", [b"1234x"] * 3, True),  # its ETags are MD5s
        ("MinIO", [b"1234x"] * 3, False),  # the same each time: it is the ETag that is none
        ("MinIO", [b"1234x", b"1234y", b"1234x"], True),
    ],
)
def test_an_etag_that_is_no_md5(server: str, bodies: list[bytes], *, fails: bool) -> None:
    script = Script("s3", server).on("GetObject", *(whole(one, etag=MD5) for one in bodies))
    script.on("HeadObject", *[described()] * 3)
    if fails:
        with pytest.raises(IntegrityError):
            script.parts.content.get("k")
        assert script.features.md5_etags is None
    else:
        assert script.parts.content.get("k").data == b"1234x"
        assert script.features.md5_etags is False


def test_after_one_that_fitted_no_etag_is_distrusted() -> None:
    script = Script("s3", "MinIO").on(
        "GetObject", whole(etag=MD5), *[whole(b"1234x", etag=MD5)] * 3
    )
    script.on("HeadObject", *[described()] * 3).parts.content.get("k")
    with pytest.raises(IntegrityError):
        script.parts.content.get("k")


@pytest.mark.parametrize("etag", [f"{MD5}-2", "x"])
def test_an_etag_of_parts_verifies_nothing(etag: str) -> None:
    assert Script().on("GetObject", whole(etag=etag)).parts.content.get("k").data == DATA


def test_content_is_asked_for_as_it_is_stored_once_it_came_decompressed() -> None:
    decompressed = whole(b"345", x_goog_stored_content_encoding="gzip")
    stored: dict[str, Any] = {"content_encoding": "gzip", "x_goog_stored_content_encoding": "gzip"}
    script = Script().on("GetObject", decompressed, *[whole(etag=MD5, **stored)] * 2)
    script.on("HeadObject", described(content_encoding="gzip"))
    assert script.parts.content.get("k").data == DATA
    script.parts.content.get("k")
    asked = [one.headers.get("accept-encoding") for one in script.all_of("GetObject")]
    assert asked == [script.dialect.get_headers.get("accept-encoding"), "gzip", "gzip"]


def test_a_lost_read_is_made_again() -> None:
    script = Script().on("GetObject", LOST, whole(etag=MD5))
    assert script.parts.content.get("k").data == DATA


def proved(answer: Raw) -> Raw:
    """Return an answer with the checksum of `DATA`."""
    return answer._replace(headers={**answer.headers, "etag": f'"{MD5}"'})


def test_many_contents_leave_out_what_is_not_plain() -> None:
    answers = {
        "range": proved(part(DATA, "0-4/5")),
        "whole": proved(part(DATA, "0-4/5", status=200)),
        "no word of a range": proved(whole()),
        "other bytes": part(b"2345", "1-4/5"),
        "grown": part(DATA, "0-4/9"),
        "shrunk": part(b"123", "0-2/3"),
        "decompressed": proved(part(DATA, "0-4/5", x_goog_stored_content_encoding="gzip")),
        "gone": refused(404, "NoSuchKey"),
        "empty": refused(416, "InvalidRange"),
        "lost": LOST,
    }
    script = Script().on("GetObject", *answers.values())
    found = script.parts.content.get_many(dict.fromkeys(answers, 5))
    assert found.keys() == {"range", "whole"}
    assert {content.data for content in found.values()} == {DATA}
    assert script.last.headers["range"] == "bytes=0-4"


def test_many_contents_are_compared_with_their_checksum() -> None:
    right = proved(part(DATA, "0-4/5"))
    wrong = proved(part(b"54321", "0-4/5"))
    script = Script().on("GetObject", right, wrong)
    assert script.parts.content.get_many({"right": 5, "wrong": 5}).keys() == {"right"}
