"""Tag sets: what is asked, what an answer is, and what is not written before that is proved."""

from collections.abc import Callable

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    InvalidTag,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import (
    BUSY,
    DATE,
    LOST,
    Raw,
    Script,
    listing,
    ok,
    refused,
    tag_set,
)

DENIED = refused(403, "AccessDenied")
MISSING = refused(501, "NotImplemented")
NO_SET = refused(404, "NoSuchTagSet")
AB = TagSet({"a": "b"})
OBJECT = ok("<Tagging><TagSet/></Tagging>", last_modified=DATE)  # content of an object
BODY = b"<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"


def written(script: Script) -> list[bytes]:
    return [one.body for one in script.transport.sent if isinstance(one.body, bytes)]


# Reading


@pytest.mark.parametrize(
    ("step", "tags"),
    [(tag_set(a="b"), AB), (tag_set(), NO_TAGS), (NO_SET, NO_TAGS)],
)
def test_the_tags_of_an_object(step: Raw, tags: TagSet) -> None:
    script = Script().on("GetObjectTagging", step)
    assert script.parts.tags.get_tags("k") == tags
    assert (script.last.method, dict(script.last.query)) == ("GET", {"tagging": ""})
    assert script.features.tags_readable


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (DENIED, AccessDenied),
        (refused(403, "InvalidAccessKeyId"), BadCredentials),
        (refused(404, "NoSuchKey"), NotFound),
        (MISSING, FeatureMissing),
        (refused(405, "MethodNotAllowed"), FeatureMissing),
    ],
)
def test_tags_that_are_not_reported(step: Raw, kind: type[TagfsError]) -> None:
    script = Script().on("GetObjectTagging", step)
    with pytest.raises(kind):
        script.parts.tags.get_tags("k")
    assert not script.features.tags_readable
    assert script.features.capabilities.object_tags is (kind is not FeatureMissing)


def test_what_the_bucket_lacks_is_asked_once() -> None:
    script = Script().on("GetObjectTagging", MISSING)
    for _ in range(2):
        with pytest.raises(Unsupported):
            script.parts.tags.get_tags("k")
    assert script.parts.tags.get_tags_many(["a", "b"]) == {}
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "step", [LOST, BUSY, Raw(200, {}, b"<Error><Code>InternalError</Code></Error>")]
)
def test_a_read_without_an_answer_is_repeated(step: Raw) -> None:
    script = Script().on("GetObjectTagging", step, tag_set(a="b"))
    assert script.parts.tags.get_tags("k") == AB


def test_many_tag_sets_leave_out_what_is_not_plain() -> None:
    answers = tag_set(a="b"), NO_SET, DENIED, LOST, ok("<html>"), refused(404, "NoSuchKey")
    script = Script().on("GetObjectTagging", *answers).on("GetBucketTags", NO_SET)
    assert script.parts.tags.get_tags_many(list("abcdef")) == {"a": AB, "b": NO_TAGS}


# A server that ignores ?tagging answers with the object, or with a listing


@pytest.mark.parametrize("step", [OBJECT, ok("content", last_modified=DATE), ok("")])
def test_an_object_is_no_tag_set(step: Raw) -> None:
    script = Script("oss").on("GetObjectTagging", step).on("GetBucketInfo", listing("k"))
    with pytest.raises(FeatureMissing):
        script.parts.tags.get_tags("k")
    assert script.features.heeds_subresources is False


def test_a_damaged_tag_set_teaches_nothing() -> None:
    script = Script().on("GetObjectTagging", ok("<Tagging>")).on("GetBucketTags", NO_SET)
    with pytest.raises(MalformedResponse):
        script.parts.tags.get_tags("k")
    assert script.features.capabilities.object_tags


WRITES: dict[str, Callable[[Script], object]] = {
    "put": lambda script: script.parts.tags.put_tags("k", AB),
    "delete": lambda script: script.parts.tags.put_tags("k", NO_TAGS),
    "update": lambda script: script.parts.tags.update_tags("k", lambda _: AB),
}


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_that_would_be_an_object(write: str) -> None:
    """To a server that ignores ?tagging a PUT of tags is a PutObject of their XML."""
    script = Script("s3", "Odd").on("GetObjectTagging", OBJECT).on("GetBucketTags", listing("k"))
    with pytest.raises(FeatureMissing):
        WRITES[write](script)
    assert {one.method for one in script.transport.sent} == {"GET"}


@pytest.mark.parametrize("write", ["put", "delete"])
@pytest.mark.parametrize("proof", [tag_set(x="y"), NO_SET])
def test_tags_are_proved_once(write: str, proof: Raw) -> None:
    script = Script().on("GetObjectTagging", proof)
    operation = "DeleteObjectTagging" if write == "delete" else "PutObjectTagging"
    script.on(operation, ok(), ok())
    WRITES[write](script)
    WRITES[write](script)
    assert script.asked == ["GetObjectTagging", operation, operation]


@pytest.mark.parametrize(
    ("bucket", "kind"), [(NO_SET, None), (DENIED, AccessDenied), (listing("k"), FeatureMissing)]
)
def test_who_may_not_read_tags_asks_the_bucket(bucket: Raw, kind: type[TagfsError] | None) -> None:
    script = Script().on("GetObjectTagging", DENIED).on("GetBucketTags", bucket)
    script.on("PutObjectTagging", ok())
    if kind is None:
        script.parts.tags.put_tags("k", AB)
    else:
        with pytest.raises(kind):
            script.parts.tags.put_tags("k", AB)
    assert ("PutObjectTagging" in script.asked) is (kind is None)


def test_a_key_pair_that_is_refused_proves_nothing() -> None:
    script = Script().on("GetObjectTagging", refused(403, "InvalidAccessKeyId"))
    with pytest.raises(BadCredentials):
        script.parts.tags.put_tags("k", AB)
    assert script.asked == ["GetObjectTagging"]


# Writing


def test_an_update_reads_changes_and_writes() -> None:
    script = Script().on("GetObjectTagging", tag_set(x="y")).on("PutObjectTagging", ok())
    assert script.parts.tags.update_tags("k", lambda tags: tags.with_tag("a", "b")) == {
        "x": "y",
        "a": "b",
    }
    assert b"<Key>x</Key>" in written(script)[0]
    assert BODY[8:-9] in written(script)[0]


def test_an_update_that_changes_nothing_writes_nothing() -> None:
    script = Script().on("GetObjectTagging", tag_set(a="b"))
    assert script.parts.tags.update_tags("k", lambda tags: tags) == AB
    assert script.asked == ["GetObjectTagging"]


def test_what_a_change_raises_is_raised_before_anything_is_written() -> None:
    script = Script().on("GetObjectTagging", tag_set(a="b"))
    with pytest.raises(KeyError):
        script.parts.tags.update_tags("k", lambda tags: TagSet({"a": tags["no"]}))
    assert script.asked == ["GetObjectTagging"]


def test_a_set_that_the_service_would_refuse_is_not_sent() -> None:
    script = Script()
    with pytest.raises(InvalidTag):
        script.parts.tags.put_tags("k", TagSet({"a" * 200: ""}))
    assert script.asked == []


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (DENIED, AccessDenied),
        (refused(404, "NoSuchKey"), NotFound),
        (refused(400, "Odd"), InvalidTag),
    ],
)
def test_a_write_that_is_refused(step: Raw, kind: type[TagfsError]) -> None:
    script = Script().on("GetObjectTagging", tag_set()).on("PutObjectTagging", step)
    with pytest.raises(kind):
        script.parts.tags.put_tags("k", AB)


@pytest.mark.parametrize("step", [LOST, BUSY])
def test_a_write_without_an_answer_is_repeated(step: Raw) -> None:
    script = Script().on("GetObjectTagging", tag_set()).on("PutObjectTagging", step, ok())
    script.parts.tags.put_tags("k", AB)
    assert script.asked.count("PutObjectTagging") == 2


def test_without_a_request_that_deletes_an_empty_set_is_written() -> None:
    script = Script().on("GetObjectTagging", tag_set(a="b"))
    script.on("DeleteObjectTagging", refused(405, "MethodNotAllowed")).on("PutObjectTagging", ok())
    script.parts.tags.put_tags("k", NO_TAGS)
    assert b"<TagSet></TagSet>" in written(script)[0]


@pytest.mark.parametrize(
    ("server", "key", "step", "kind"),
    [
        ("SeaweedFS", "d/", LOST, Unsupported),
        ("SeaweedFS", "d/", refused(400, "Odd"), InvalidTag),
        ("SeaweedFS", "d", LOST, Unreachable),
        ("AmazonS3", "d/", LOST, Unreachable),
    ],
)
def test_a_directory_whose_tags_never_work_has_none(
    server: str, key: str, step: Raw, kind: type[TagfsError]
) -> None:
    """Such a request is given up soon; what the service itself says gets the usual time."""
    script = Script("s3", server).on("GetObjectTagging", tag_set()).on("PutObjectTagging", step)
    with pytest.raises(kind):
        script.parts.tags.put_tags(key, AB)
    short = key == "d/" and server != "AmazonS3"
    assert script.last.timeout == (2.0 if short else None)


# Services that keep encoded tags as they come (OBS in some regions)

ODD = TagSet({"a": "ü"})
ENCODED = tag_set(a="%C3%BC")


def encoding(*after: Raw | TagfsError) -> Script:
    script = Script("obs").on("GetObjectTagging", tag_set(), *after)
    return script.on("PutObjectTagging", ok(), ok())


def test_a_service_that_decodes_is_sent_encoded_tags() -> None:
    script = encoding(tag_set(a="ü"))
    script.parts.tags.put_tags("k", ODD)
    script.parts.tags.put_tags("k", ODD)
    assert [b"%C3%BC" in body for body in written(script)] == [True, True]


def test_a_service_that_keeps_them_is_sent_plain_ones() -> None:
    script = encoding(ENCODED).on("PutObjectTagging", ok())
    script.parts.tags.put_tags("k", ODD)
    script.parts.tags.put_tags("k", ODD)
    assert [b"%C3%BC" in body for body in written(script)] == [True, False, False]


@pytest.mark.parametrize("after", [DENIED, LOST, refused(404, "NoSuchKey"), Unreachable("x")])
def test_tags_that_were_written_are_no_failure_because_they_cannot_be_read(
    after: Raw | TagfsError,
) -> None:
    script = encoding(after)
    upload = script.parts.tags._uploads
    upload.begin("k", "id")
    script.parts.tags.put_tags("k", ODD)
    assert upload.edited("k", "id") == ODD


# Tags of the bucket


@pytest.mark.parametrize(
    ("service", "before", "change", "operation"),
    [
        ("s3", {"x": "1"}, lambda tags: tags.with_tag("a", "b"), "PutBucketTags"),
        ("s3", {"x": "1"}, lambda _: NO_TAGS, "DeleteBucketTags"),
        ("s3", {"x": "1", "y": "2"}, lambda tags: tags.without_tag("x"), "PutBucketTags"),
        ("oss", {"x": "1", "y": "2"}, lambda tags: tags.without_tag("x"), "DeleteBucketTags"),
        ("oss", {"x,": "1", "y": "2"}, lambda tags: tags.without_tag("x,"), "PutBucketTags"),
    ],
)
def test_bucket_tags_are_changed_by_the_fewest_words(service, before, change, operation) -> None:
    script = Script(service).on("GetBucketTags", tag_set(**before)).on(operation, ok())
    script.parts.tags.update_bucket_tags(change)
    assert script.asked == ["GetBucketTags", operation]
    if service == "oss" and operation == "DeleteBucketTags":
        assert script.last.query["tagging"] == "x"


def test_a_bucket_without_tags_has_none() -> None:
    assert Script().on("GetBucketTags", NO_SET).parts.tags.get_bucket_tags() == NO_TAGS


def test_a_bucket_that_has_no_tagging_is_asked_once() -> None:
    script = Script().on("GetBucketTags", MISSING)
    for _ in range(2):
        with pytest.raises(Unsupported):
            script.parts.tags.get_bucket_tags()
    assert len(script.asked) == 1
