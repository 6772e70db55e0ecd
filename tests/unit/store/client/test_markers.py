"""Markers of directories: copied by the service, or written anew where it cannot."""

from collections.abc import Callable

import pytest

from tagfs.errors import (
    AccessDenied,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    Refused,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.marker_patience import bounded
from tagfs.store.client.writes.markers import MarkerWrites, is_marker
from tagfs.store.http.messages import Request
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import Script, described, info, ok, refused, tag_set

MARKER = info("d/", 0)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (MARKER, True),
        (info("d", 0), False),
        (info("d/", 1), False),
        (info("d/", 0, type=ObjectType.SYMLINK), False),
    ],
)
def test_what_a_marker_is(one: ObjectInfo, *, expected: bool) -> None:
    assert is_marker(one) is expected


def markers(script: Script) -> MarkerWrites:
    return script.parts.copies._markers


def failing(failure: TagfsError) -> Callable[[], ObjectInfo]:
    def copy() -> ObjectInfo:
        raise failure

    return copy


NO_COPY = [NotFound("x"), Refused("x"), Unreachable("x"), MalformedResponse("x")]


@pytest.mark.parametrize("failure", NO_COPY)
def test_what_cannot_be_copied_is_written_from_then_on(failure: TagfsError) -> None:
    script, made = Script("s3", "Odd"), info("e/", 0)
    for _ in range(2):
        assert markers(script).copied_or_written(MARKER, failing(failure), lambda: made) == made
    assert not script.features.copies_markers


@pytest.mark.parametrize(
    ("server", "source", "failure"),
    [
        ("AmazonS3", MARKER, Refused("x")),  # the service itself can
        ("Odd", info("k"), Refused("x")),  # only of markers is anything known
        ("Odd", MARKER, ObjectChanged("x")),
        ("Odd", MARKER, AccessDenied("x")),
    ],
)
def test_other_failures_are_failures(server: str, source: ObjectInfo, failure: TagfsError) -> None:
    script = Script("s3", server)
    with pytest.raises(type(failure)):
        markers(script).copied_or_written(source, failing(failure), lambda: pytest.fail("written"))
    assert script.features.copies_markers


def test_where_writing_fails_too_nothing_is_learnt() -> None:
    script = Script("s3", "Odd")
    with pytest.raises(AccessDenied):
        markers(script).copied_or_written(MARKER, failing(Refused("x")), failing(AccessDenied("x")))
    assert script.features.copies_markers


def test_a_copy_that_is_written_has_what_its_source_has() -> None:
    script = Script("s3", "Odd").on("HeadObject", described(0, x_amz_meta_mode="1"))
    script.on("PutObject", ok(etag='"e"')).on("GetBucketTags", tag_set())
    script.on("HeadObject", described(0, etag="e", x_amz_meta_mode="1"))
    script.on("GetObjectTagging", tag_set(a="b"))
    markers(script).write_copy(MARKER, "e/", tags=TagSet({"a": "b"}), acl={}, exclusive=False)
    sent = script.all_of("PutObject")[0]
    assert (sent.key, sent.headers["x-amz-meta-mode"]) == ("e/", "1")
    assert sent.headers["x-amz-tagging"] == "a=b"


def test_a_copy_of_what_is_gone_is_not_written() -> None:
    script = Script("s3", "Odd").on("HeadObject", refused(404, "NoSuchKey"))
    with pytest.raises(NotFound):
        markers(script).write_copy(MARKER, "e/", tags=NO_TAGS, acl={}, exclusive=False)
    assert "PutObject" not in script.asked


def test_one_that_is_edited_keeps_its_tags_and_their_number() -> None:
    script = Script("s3", "Odd").on("GetObjectTagging", tag_set(a="b"), tag_set(a="b"))
    script.on("PutObject", ok(etag='"e"')).on(
        "HeadObject", described(0, etag="e", x_amz_meta_mode="2")
    )
    before = info("d/", 0, detail=Detail(tag_count=1))
    made = markers(script).rewrite(before, NewObject(metadata={"mode": "2"}))
    assert made.detail is not None
    assert made.detail.tag_count == 1
    assert script.all_of("PutObject")[0].headers["x-amz-tagging"] == "a=b"


@pytest.mark.parametrize(
    ("server", "key", "seconds"),
    [("Odd", "d/", 2.0), ("Odd", "d", None), ("AmazonS3", "d/", None), ("Odd", None, None)],
)
def test_what_may_never_work_is_given_up_soon(
    server: str, key: str | None, seconds: float | None
) -> None:
    request = Request(operation="CopyObject", method="PUT", key=key)
    assert bounded(Script("s3", server).context.api, request).timeout == seconds
