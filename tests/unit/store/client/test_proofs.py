"""Whether a service looks at sub-resources: what proves it, what proves nothing."""

import logging

import pytest

from tagfs.errors import AccessDenied, BadCredentials, TagfsError, Unreachable, Unsupported
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.proofs import SubresourceProofs
from tagfs.store.client.trial_names import TRIAL, unused_key
from tagfs.store.client.trials.trials import Trials
from tagfs.store.http.messages import Response
from tests.unit.store.client.scripted import (
    LOST,
    Raw,
    Script,
    Step,
    copied,
    listing,
    ok,
    refused,
    tag_set,
)

DENIED = refused(403, "AccessDenied")
INFO = ok("<BucketInfo><Bucket/></BucketInfo>")


def proofs(script: Script) -> SubresourceProofs:
    return script.parts.writes._transfer._proofs


@pytest.mark.parametrize(
    ("service", "operation", "step", "heeds"),
    [
        ("oss", "GetBucketInfo", INFO, True),
        ("oss", "GetBucketInfo", listing("k"), False),
        ("s3", "GetBucketTags", tag_set(a="b"), True),
        ("s3", "GetBucketTags", refused(404, "NoSuchTagSet"), True),
        ("s3", "GetBucketTags", refused(501, "NotImplemented"), True),
        ("s3", "GetBucketTags", listing("k"), False),
        ("s3", "GetBucketTags", ok("<html>"), None),
        ("s3", "GetBucketTags", DENIED, None),
        ("s3", "GetBucketTags", LOST, None),
    ],
)
def test_an_answer_proves_or_does_not(
    service: str, operation: str, step: Step, *, heeds: bool | None
) -> None:
    script = Script(service).on(operation, step)
    if step is LOST:
        with pytest.raises(Unreachable):
            proofs(script).is_ignored()
    else:
        assert proofs(script).is_ignored() is (heeds is False)
    assert script.features.heeds_subresources is heeds


def test_where_the_bucket_may_be_listed_a_refusal_is_a_proof() -> None:
    """A server that ignores the sub-resource would have answered with a listing."""
    script = Script().on("GetBucketTags", DENIED)
    script.features.note_listed()
    assert not proofs(script).is_ignored()
    assert script.features.heeds_subresources is True


@pytest.mark.parametrize(
    ("step", "times", "kind"),
    [(DENIED, 1, None), (refused(403, "InvalidAccessKeyId"), 2, BadCredentials)],
)
def test_a_refusal_is_asked_for_once(step: Raw, times: int, kind) -> None:
    script = Script().on("GetBucketTags", step, step)
    for _ in range(2):
        if kind is None:
            assert not proofs(script).is_ignored()
        else:
            with pytest.raises(kind):
                proofs(script).is_ignored()
    assert len(script.asked) == times


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (refused(404, "NoSuchTagSet"), None),
        (listing("k"), FeatureMissing),
        (DENIED, AccessDenied),
        (ok("<html>"), Unsupported),
        (LOST, Unreachable),
    ],
)
def test_nothing_is_changed_before_it_is_known(step: Step, kind: type[TagfsError] | None) -> None:
    script = Script().on("GetBucketTags", step)
    if kind is None:
        proofs(script).check()
    else:
        with pytest.raises(kind):
            proofs(script).check()


# Requests that are tried on nothing


def trials(script: Script) -> Trials:
    return script.parts.multipart._trials


@pytest.mark.parametrize(
    ("step", "deletes", "kind"),
    [
        (refused(404, "NoSuchKey"), 0, None),
        (copied(), 1, None),
        (ok(""), 1, FeatureMissing),
        (DENIED, 0, None),
        (LOST, 0, Unreachable),
    ],
)
def test_copies_are_tried_once(caplog, step: Step, deletes: int, kind) -> None:
    script = Script("s3", "Odd").on("CopyObject", step).on("DeleteObject", ok())
    script.features.note_ignored("a listing")
    if kind is None:
        trials(script).try_copies("d/k")
        trials(script).try_copies("d/k")
    else:
        with pytest.raises(kind):
            trials(script).try_copies("d/k")
    assert script.asked == ["CopyObject"] + ["DeleteObject"] * deletes
    assert ("may stay behind" in caplog.text) is (step is LOST)


def test_a_trial_that_cannot_be_cleaned_up_is_logged(caplog) -> None:
    trials(Script().on("DeleteObject", DENIED)).clean_up(
        "d/trial", Response(status=200, headers={})
    )
    assert [one.levelno for one in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("heeds", [True, None])
def test_where_sub_resources_are_heeded_nothing_is_tried(*, heeds: bool | None) -> None:
    script = Script()
    if heeds:
        script.features.note_heeded()
    trials(script).try_copies("k")
    assert trials(script).ends_uploads("k")
    assert script.asked == []


@pytest.mark.parametrize(("key", "directory"), [("k", ""), ("d/e/k", "d/e/"), ("d/", "d/")])
def test_a_trial_is_beside_its_key_and_never_the_same(key: str, directory: str) -> None:
    names = {unused_key(key) for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith(directory + TRIAL) for name in names)
