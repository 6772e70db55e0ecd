"""Is it the same object? Every row is one piece of evidence, given and withheld."""

from dataclasses import replace

import pytest

from tagfs.errors import IntegrityError
from tagfs.store.objects import Detail, ObjectInfo, ObjectType, Part
from tagfs.store.versions import (
    Sent,
    check_same_size,
    copies_match,
    is_part,
    is_version,
    is_what_was_sent,
    may_be_version,
    same_content,
    same_version,
)

SECOND = 1_000_000_000
INFO = ObjectInfo(
    key="k",
    size=3,
    etag="e",
    last_modified_ns=10 * SECOND,
    detail=Detail(metadata={"mtime": "1"}, headers={"content-type": "t"}, crc64=7),
)
LINK = replace(INFO, type=ObjectType.SYMLINK, etag="l")


def reported(**detail) -> ObjectInfo:
    """INFO with another detail."""
    assert INFO.detail is not None
    return INFO.with_detail(replace(INFO.detail, **detail))


@pytest.mark.parametrize(
    ("other", "apart", "same"),
    [
        (INFO, 0, True),
        (INFO.with_detail(Detail()), 0, True),
        (replace(INFO, etag="f"), 0, False),
        (replace(INFO, size=4), 0, False),
        (LINK, 0, False),
        (replace(INFO, last_modified_ns=10 * SECOND + 999_999_999), 0, True),
        (replace(INFO, last_modified_ns=11 * SECOND), 0, False),
        (replace(INFO, last_modified_ns=11 * SECOND), 1, True),
    ],
)
def test_two_answers_describe_one_version(other, apart, same):
    assert same_version(INFO, other, apart=apart) is same
    assert same_version(other, INFO, apart=apart) is same


@pytest.mark.parametrize(
    ("found", "meant", "surely", "maybe"),
    [
        (INFO, INFO, True, True),
        (replace(INFO, size=9, last_modified_ns=0), INFO, True, True),
        (replace(INFO, etag="f"), INFO, False, False),
        (INFO, replace(INFO, etag=""), False, True),
        (replace(INFO, etag=""), replace(INFO, etag=""), False, True),
        (LINK, INFO, False, False),
        (INFO, LINK, False, False),
        (replace(LINK, etag="of its target"), LINK, False, True),
    ],
)
def test_a_key_still_holds_what_is_meant(found, meant, surely, maybe):
    assert is_version(found, meant) is surely
    assert may_be_version(found, meant) is maybe


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        (Sent(), True),
        (Sent(size=3), True),
        (Sent(size=4), False),
        (Sent(type=ObjectType.NORMAL), True),
        (Sent(type=ObjectType.SYMLINK), False),
        (Sent(etag="e"), True),
        (Sent(etag="f"), False),
        (Sent(crc64=7), True),
        (Sent(crc64=8), False),
        (Sent(metadata={"MTime": "1"}), True),
        (Sent(metadata={"mtime": "2"}), False),
        (Sent(metadata={}), False),
        (Sent(target="t"), False),
        (Sent(parts=3), False),
        (Sent(not_before_ns=12 * SECOND), True),
        (Sent(not_before_ns=12 * SECOND + 1), False),
        (Sent(size=3, etag="e", crc64=8), False),
    ],
)
def test_an_object_is_what_was_sent(sent, same):
    assert is_what_was_sent(INFO, sent) is same


def test_evidence_that_is_missing_does_not_fit():
    untold = replace(INFO, detail=None)
    assert not is_what_was_sent(untold, Sent(crc64=7))
    assert not is_what_was_sent(untold, Sent(metadata={"mtime": "1"}))
    assert is_what_was_sent(untold, Sent(size=3, etag="e"))
    assert is_what_was_sent(replace(INFO, etag="abc-12"), Sent(parts=12))
    assert not is_what_was_sent(replace(INFO, etag="abc-12"), Sent(parts=2))
    target = Detail(target="t")
    assert is_what_was_sent(LINK.with_detail(target), Sent(target="t"))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (INFO, True),
        (replace(INFO, etag="f"), True),  # the checksum decides
        (reported(crc64=8), False),
        (reported(crc64=None), True),  # then the ETag does
        (replace(reported(crc64=None), etag="f"), False),
        (replace(INFO, size=4), False),
        (replace(INFO, detail=None), False),
    ],
)
def test_two_objects_have_the_same_bytes(other, same):
    assert same_content(INFO, other) is same
    assert same_content(other, INFO) is same


@pytest.mark.parametrize(
    ("copy", "matches"),
    [
        (INFO, True),
        (replace(INFO, last_modified_ns=11 * SECOND), True),
        (replace(INFO, last_modified_ns=9 * SECOND), False),
        (reported(metadata={"mtime": "2"}), False),
        (reported(metadata={"mtime": "1", "own": "x"}), True),
        (reported(headers={}), False),
        (reported(crc64=8), False),
        (replace(INFO, detail=None), False),
        (replace(INFO, type=ObjectType.SYMLINK), False),
    ],
)
def test_a_copy_matches_its_original(copy, matches):
    assert copies_match(INFO, copy, own_metadata={"own"}) is matches


def test_of_links_neither_content_nor_target_is_compared():
    assert copies_match(LINK, replace(LINK, etag="m", size=9))


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (Part(number=1, etag="AB", size=2), True),
        (Part(number=1, etag="ab", size=2, crc64=5), True),
        (Part(number=1, etag="AB", size=2, crc64=6), False),
        (Part(number=1, etag="AC", size=2), False),
        (Part(number=1, etag="AB", size=3), False),
    ],
)
def test_a_part_is_there_as_it_would_be_sent(found, same):
    assert is_part(found, Part(number=1, etag="AB", size=2, crc64=5)) is same


def test_one_version_has_one_size():
    with pytest.raises(IntegrityError, match="4 bytes where 3 are known"):
        check_same_size(INFO, replace(INFO, size=4))
    check_same_size(INFO, replace(INFO, size=4, etag="f"))
    check_same_size(replace(INFO, etag=""), replace(INFO, size=4, etag=""))
    check_same_size(replace(INFO, type=ObjectType.SYMLINK), replace(INFO, size=4))
