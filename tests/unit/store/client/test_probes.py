"""What a mount asks of its bucket, and what it reports to its user."""

import logging

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    MalformedResponse,
    NoSuchBucket,
    Refused,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.error_codes import FeatureMissing
from tests.unit.store.client.scripted import (
    LOST,
    Raw,
    Script,
    Step,
    listing,
    ok,
    refused,
    tag_set,
)

DENIED = refused(403, "AccessDenied")
NO_SET = refused(404, "NoSuchTagSet")
GONE = refused(404, "NoSuchKey")


def test_one_listing_shows_that_a_bucket_can_be_listed() -> None:
    script = Script().on("ListObjects", listing("p/k"))
    script.parts.probes.check("p/")
    assert script.asked == ["ListObjects"]
    assert (script.last.timeout, script.last.retry_connect) == (5.0, False)
    assert script.features.listable


@pytest.mark.parametrize(
    ("step", "kind", "advice"),
    [
        (refused(404, "NoSuchBucket"), NoSuchBucket, "check its name, endpoint and region"),
        (refused(403, "InvalidAccessKeyId"), BadCredentials, "refuses the key pair of the envir"),
        (DENIED, AccessDenied, "allow ListObjects"),
        (Unreachable("x"), Unreachable, "check endpoint, region and network"),
        (refused(400), Refused, "check endpoint and region"),
        (ok("<html>"), MalformedResponse, "not XML"),
    ],
)
def test_a_bucket_that_cannot_be_listed(step: Step, kind: type[TagfsError], advice: str) -> None:
    with pytest.raises(kind, match=advice):
        Script().on("ListObjects", step).parts.probes.check()


def test_a_server_without_etags_is_logged(caplog) -> None:
    bare = listing("k")
    body = bare.body.replace(b"<ETag>00000000000000000000000000000001</ETag>", b"")
    Script().on("ListObjects", bare._replace(body=body)).parts.probes.check()
    assert "sends no ETag" in caplog.text


# What it can do


PLAIN = ok()


@pytest.mark.parametrize(
    ("tags", "bucket", "logged", "able"),
    [
        (GONE, NO_SET, "", True),
        (GONE, listing("k"), "no tags", False),
        (NO_SET, NO_SET, "", True),
        (DENIED, NO_SET, "tags of objects may not be read", True),
        (DENIED, listing("k"), "no tags", False),
        (refused(501, "NotImplemented"), None, "no object tags", False),
        (refused(405, "MethodNotAllowed"), None, "no object tags", False),
        (LOST, None, "", True),
        (refused(400), None, "", True),
        # Tags of what is not there: the request is not looked at, or means nothing.
        (tag_set(a="b"), NO_SET, "no object tags", False),
        (ok("content"), listing("k"), "no tags", False),
    ],
)
def test_tags_are_asked_of_what_is_not_there(
    caplog, tags: Step, bucket: Step | None, logged: str, *, able: bool
) -> None:
    script = Script("s3", "Odd").on("HeadBucket", PLAIN).on("GetObjectTagging", tags)
    if bucket is not None:
        script.on("GetBucketTags", bucket)
    script.parts.probes.probe("p/")
    assert script.all_of("GetObjectTagging")[0].key == "p/.tagfs-no-object"
    assert script.features.capabilities.object_tags is able
    assert logged in caplog.text
    assert bool(caplog.records) is bool(logged)


def test_one_object_that_is_there_proves_tags() -> None:
    script = Script().on("ListObjects", listing("p/k")).on("HeadBucket", PLAIN)
    script.on("GetObjectTagging", tag_set(a="b"))
    script.parts.probes.check("p/")
    script.parts.probes.probe("p/")
    assert script.last.key == "p/k"
    assert script.features.tags_proven


@pytest.mark.parametrize(
    ("headers", "real"),
    [
        ({}, False),
        ({"x_obs_bucket_type": "POSIX"}, True),
        ({"x_obs_fs_file_interface": "Enabled"}, True),
    ],
)
def test_a_bucket_with_real_directories(caplog, headers: dict[str, str], *, real: bool) -> None:
    script = Script("obs").on("HeadBucket", ok(**headers)).on("GetObjectTagging", GONE)
    script.on("GetBucketTags", NO_SET)
    script.parts.probes.probe()
    assert script.features.capabilities.rename is real
    assert ("a parallel file system" in caplog.text) is real


def test_a_bucket_that_may_not_be_described_lacks_nothing(caplog) -> None:
    caplog.set_level(logging.INFO)
    script = Script("obs").on("HeadBucket", DENIED).on("GetObjectTagging", GONE)
    script.on("GetBucketTags", NO_SET)
    script.parts.probes.probe()
    assert script.features.capabilities.object_tags
    assert "stays unknown" in caplog.text


@pytest.mark.parametrize(
    ("step", "kind", "heeds"),
    [
        (refused(404, "NoSuchBucket"), NoSuchBucket, None),
        (DENIED, AccessDenied, None),
        (listing("k"), FeatureMissing, False),
        (ok("<BucketInfo><Bucket><Name>b</Name></Bucket></BucketInfo>"), None, True),
    ],
)
def test_what_a_bucket_is(step: Raw, kind, *, heeds: bool | None) -> None:
    script = Script("oss").on("GetBucketInfo", step)
    if kind is None:
        assert script.parts.probes.describe().name == "b"
    else:
        with pytest.raises(kind):
            script.parts.probes.describe()
    assert script.features.heeds_subresources is heeds
