"""Which tags a rewritten object gets, and what is done where they do not arrive with it."""

import logging

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    InvalidTag,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.tags.transfer import TagTransfer
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.objects import Detail, Keep, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import (
    LOST,
    Raw,
    Script,
    described,
    info,
    listing,
    ok,
    refused,
    tag_set,
)

AB = TagSet({"a": "b"})
DENIED = refused(403, "AccessDenied")
EXPIRED = refused(403, "InvalidAccessKeyId")
GONE = refused(404, "NoSuchKey")
MISSING = refused(501, "NotImplemented")
NO_SET = refused(404, "NoSuchTagSet")


def transfer(script: Script) -> TagTransfer:
    return script.parts.writes._transfer


# Before a write


@pytest.mark.parametrize(
    ("step", "tags"),
    [(tag_set(a="b"), AB), (tag_set(), NO_TAGS), (GONE, NO_TAGS), (MISSING, NO_TAGS)],
)
def test_what_is_replaced_leaves_its_tags(step: Raw, tags: TagSet) -> None:
    script = Script().on("GetObjectTagging", step)
    assert transfer(script).tags_for("k", NewObject()) == tags


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (GONE, True),  # nothing has no tags
        (described(x_amz_tagging_count="0"), True),
        (described(x_amz_tagging_count="1"), False),
        (described(), False),  # services hide the number from who may not read tags
        (DENIED, False),
        (Unreachable("x"), False),
    ],
)
def test_tags_that_may_not_be_read_stop_a_rewrite(head: Raw | TagfsError, *, kept: bool) -> None:
    script = Script().on("GetObjectTagging", DENIED).on("HeadObject", head)
    if kept:
        assert transfer(script).tags_to_keep("k") == NO_TAGS
    else:
        with pytest.raises(AccessDenied, match="tags_denied=drop"):
            transfer(script).tags_to_keep("k")


def test_they_are_dropped_if_the_user_says_so() -> None:
    script = (
        Script(tags_denied_drop=True).on("GetObjectTagging", DENIED).on("HeadObject", described())
    )
    assert transfer(script).tags_to_keep("k") == NO_TAGS


def test_a_key_pair_that_is_refused_is_no_denial_of_tags() -> None:
    script = Script(tags_denied_drop=True).on("GetObjectTagging", EXPIRED)
    with pytest.raises(BadCredentials):
        transfer(script).tags_to_keep("k")


@pytest.mark.parametrize(
    ("answer", "kind"), [(listing("k"), Unsupported), (NO_SET, None), (DENIED, None)]
)
def test_given_tags_are_sent_where_tags_are_not_ignored(answer: Raw, kind) -> None:
    script = Script().on("GetBucketTags", answer)
    if kind is None:
        assert transfer(script).tags_for("k", NewObject(tags=AB)) == AB
    else:
        with pytest.raises(kind):
            transfer(script).tags_for("k", NewObject(tags=AB))


def test_whether_they_are_ignored_must_be_known() -> None:
    script = Script().on("GetBucketTags", LOST, NO_SET)
    script.transport.steps["GetBucketTags"].pop()
    with pytest.raises(Unreachable):
        transfer(script).tags_for("k", NewObject(tags=AB))


def test_given_tags_that_would_be_refused_are_not_sent() -> None:
    script = Script()
    with pytest.raises(InvalidTag):
        transfer(script).tags_for("k", NewObject(tags=TagSet({"a" * 200: ""})))
    assert script.asked == []


def test_a_server_of_others_judges_by_its_own_rules() -> None:
    """What is given was taken from a program, and judged, or is of an object of that server."""
    odd = TagSet({"note": "R&D"})
    script = Script(server="Ceph").on("GetBucketTags", NO_SET)
    assert transfer(script).tags_for("k", NewObject(tags=odd)) == odd
    assert transfer(script).tags_for_copy(SOURCE, "k", odd) == odd


def test_tags_that_the_service_has_are_sent_again() -> None:
    odd = {"note": "R, D (Munich)"}
    script = Script().on("GetObjectTagging", tag_set(**odd)).on("GetBucketTags", NO_SET)
    kept = transfer(script).tags_for("k", NewObject())
    assert kept == odd
    assert transfer(script).tags_for("other", NewObject(tags=kept)) == odd


SOURCE, TAGGED = info("s"), info("s", detail=Detail(tag_count=1))


@pytest.mark.parametrize(
    ("source", "tags", "steps", "expected"),
    [
        (SOURCE, Keep.SOURCE, [], None),
        (SOURCE, AB, [], AB),
        (TAGGED, Keep.SOURCE_OR_REPLACED, [], None),
        (SOURCE, Keep.SOURCE_OR_REPLACED, [tag_set(a="b")], None),
        (SOURCE, Keep.SOURCE_OR_REPLACED, [tag_set(), tag_set(a="b")], AB),
        (SOURCE, Keep.SOURCE_OR_REPLACED, [tag_set(), tag_set()], None),
        (SOURCE, Keep.SOURCE_OR_REPLACED, [tag_set(), GONE], None),
    ],
)
def test_the_tags_of_a_copy(source, tags, steps: list[Raw], expected: TagSet | None) -> None:
    script = Script().on("GetObjectTagging", *steps)
    assert transfer(script).tags_for_copy(source, "k", tags) == expected
    assert script.unused == {}


@pytest.mark.parametrize(("head", "kind"), [(GONE, None), (described(), AccessDenied)])
def test_a_copy_over_what_may_have_tags_needs_the_right_to_read_them(head: Raw, kind) -> None:
    script = Script().on("GetObjectTagging", DENIED).on("HeadObject", head)
    if kind is None:
        assert transfer(script).tags_for_copy(SOURCE, "k", Keep.SOURCE_OR_REPLACED) is None
    else:
        with pytest.raises(kind):
            transfer(script).tags_for_copy(SOURCE, "k", Keep.SOURCE_OR_REPLACED)


# After a write


def test_what_the_service_is_known_to_keep_is_not_looked_at() -> None:
    script = Script()
    transfer(script).ensure(WriteKind.PUT, "k", AB, {"x-amz-tagging": "a=b"})
    assert script.asked == []


@pytest.mark.parametrize(
    ("step", "again", "asked"),
    [
        (tag_set(a="b"), [], 1),  # they arrived
        (tag_set(), [], 3),  # they did not: set now, and after each write from then on
        (tag_set(x="y"), [], 3),
        (DENIED, [DENIED], 4),  # not known: set again each time
    ],
)
def test_what_is_not_known_is_read_back_once(step: Raw, again: list[Raw], asked: int) -> None:
    script = Script().on("GetObjectTagging", step, *again).on("PutObjectTagging", ok(), ok())
    script.features.note_heeded(proves_tags=True)
    for _ in range(2):
        transfer(script).ensure(WriteKind.UPLOAD, "k", AB)
    assert len(script.asked) == asked


def test_a_drop_of_tags_is_logged_once(caplog) -> None:
    script = Script().on("GetObjectTagging", tag_set()).on("PutObjectTagging", ok(), ok())
    script.features.note_heeded(proves_tags=True)
    for _ in range(2):
        transfer(script).ensure(WriteKind.UPLOAD, "k", AB)
    assert [one.levelno for one in caplog.records] == [logging.WARNING]


def test_tags_too_long_for_a_header_are_set_by_a_request_of_their_own() -> None:
    script = Script().on("PutObjectTagging", ok())
    script.features.note_heeded(proves_tags=True)
    transfer(script).ensure(WriteKind.PUT, "k", AB, {})
    assert script.asked == ["PutObjectTagging"]


def test_no_tags_are_looked_after_only_where_others_may_be() -> None:
    script = Script("s3", "Odd").on("GetObjectTagging", tag_set())
    transfer(script).ensure(WriteKind.UPLOAD, "k", NO_TAGS)
    assert script.asked == []
    transfer(script).ensure(WriteKind.RETAGGED_COPY, "k", NO_TAGS)
    assert script.asked == ["GetObjectTagging"]


# Tags that could not be set


@pytest.fixture
def undelivered(caplog) -> Script:
    """An object was written, and its tags were refused."""
    script = Script().on("PutObjectTagging", DENIED)
    script.features.note_heeded(proves_tags=True)
    with pytest.raises(AccessDenied):
        transfer(script).ensure(WriteKind.PUT, "k", AB, {})
    assert "'k' was written without its tags a=b" in caplog.text
    return script


def test_the_next_rewrite_gives_the_object_the_tags_that_it_should_have(undelivered) -> None:
    undelivered.on("GetObjectTagging", tag_set())
    assert transfer(undelivered).tags_to_keep("k") == AB


def test_tags_that_another_client_set_meanwhile_hold(undelivered) -> None:
    undelivered.on("GetObjectTagging", tag_set(x="y"))
    assert transfer(undelivered).tags_to_keep("k") == {"x": "y"}


def test_an_object_that_is_gone_has_none_of_them(undelivered) -> None:
    undelivered.on("GetObjectTagging", GONE, tag_set())
    transfer(undelivered).tags_to_keep("k")
    assert transfer(undelivered).tags_to_keep("k") == NO_TAGS


@pytest.mark.parametrize("tags", [NO_TAGS, TagSet({"x": "y"})])
def test_an_object_that_was_replaced_with_other_tags_has_none_of_them(undelivered, tags) -> None:
    sent = {"x-amz-tagging": "x=y"} if tags else {}
    transfer(undelivered).ensure(WriteKind.PUT, "k", tags, sent)
    undelivered.on("GetObjectTagging", tag_set())
    assert transfer(undelivered).tags_to_keep("k") == NO_TAGS


def test_a_change_of_metadata_leaves_them_due(undelivered) -> None:
    transfer(undelivered).ensure(WriteKind.METADATA, "k", NO_TAGS)
    undelivered.on("GetObjectTagging", tag_set())
    assert transfer(undelivered).tags_to_keep("k") == AB
