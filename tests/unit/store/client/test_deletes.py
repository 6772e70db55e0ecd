"""Deletions, one by one and in batches: on which condition, and what is done with each answer."""

from collections.abc import Mapping

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    ObjectChanged,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.deletes.rights import MEMORY, Deletable
from tagfs.store.http.messages import Response
from tagfs.store.objects import NONE_MEANT, Denied, ObjectInfo, Spared
from tests.fakes.clock import FakeClock
from tests.unit.store.client.scripted import (
    BUSY,
    ETAG,
    LINK,
    LOST,
    OTHER,
    Raw,
    Script,
    Step,
    described,
    info,
    ok,
    refused,
)

DENIED = refused(403, "AccessDenied")
GONE = refused(404, "NoSuchKey")
SAME, ANOTHER = described(), described(etag=OTHER)
MEANT = info()
UNCONDITIONAL = refused(501, "NotImplemented")


def conditions(script: Script, operation: str = "DeleteObject") -> list[str | None]:
    return [one.headers.get("if-match") for one in script.all_of(operation)]


# One object


def test_what_is_there_goes() -> None:
    script = Script().on("DeleteObject", ok())
    script.parts.deletes.delete("k")
    assert script.asked == ["DeleteObject"]
    assert conditions(script) == [None]


def test_what_is_gone_is_no_failure() -> None:
    Script().on("DeleteObject", GONE).parts.deletes.delete("k")


@pytest.mark.parametrize(
    ("service", "meant", "condition"),
    [
        ("s3", MEANT, f'"{ETAG}"'),
        ("s3", info(etag=""), None),
        ("s3", LINK, None),
        ("oss", MEANT, None),
        ("s3", None, None),
    ],
)
def test_a_version_is_named_where_that_can_be_said(service, meant, condition) -> None:
    script = Script(service).on("DeleteObject", ok())
    script.parts.deletes.delete("k", meant=meant)
    assert conditions(script) == [condition]


def test_another_version_stays() -> None:
    script = Script().on("DeleteObject", refused(412)).on("HeadObject", ANOTHER)
    with pytest.raises(ObjectChanged):
        script.parts.deletes.delete("k", meant=MEANT)
    assert script.asked.count("DeleteObject") == 1
    assert script.features.conditional_deletes


@pytest.mark.parametrize("refusal", [400, 403, 405, 501])
def test_where_it_is_the_condition_that_is_refused_it_is_given_up(refusal: int) -> None:
    script = Script().on("DeleteObject", refused(refusal), ok(), ok())
    script.parts.deletes.delete("k", meant=MEANT)
    script.parts.deletes.delete("k", meant=MEANT)
    assert conditions(script) == [f'"{ETAG}"', None, None]


def test_where_all_is_refused_the_condition_is_kept() -> None:
    script = Script().on("DeleteObject", DENIED, DENIED)
    with pytest.raises(AccessDenied):
        script.parts.deletes.delete("k", meant=MEANT)
    assert script.features.conditional_deletes


@pytest.mark.parametrize(
    ("service", "step", "head", "sent"),
    [
        ("s3", LOST, GONE, 1),
        ("s3", LOST, ANOTHER, 1),  # it is deleted, and another client's is there
        ("s3", LOST, SAME, 2),
        ("s3", BUSY, GONE, 1),
        ("oss", LOST, GONE, 1),
        ("oss", LOST, ANOTHER, 1),
        ("oss", LOST, SAME, 2),
        # It may not be looked at. With a condition the second one does no harm.
        ("s3", LOST, DENIED, 2),
    ],
)
def test_after_a_lost_answer_only_what_is_meant_is_deleted(
    service: str, step: Step, head: Step, sent: int
) -> None:
    script = Script(service).on("DeleteObject", step, ok()).on("HeadObject", head)
    script.parts.deletes.delete("k", meant=MEANT)
    assert script.asked.count("DeleteObject") == sent


def test_what_is_not_known_to_be_deleted_is_not_reported_as_denied() -> None:
    """... nor remembered as such: the right to delete is another one than that to look."""
    script = Script("oss").on("DeleteObject", ok(), LOST, ok()).on("HeadObject", DENIED)
    script.parts.deletes.delete("d/a")
    with pytest.raises(Unreachable, match="may not be looked at"):
        script.parts.deletes.delete("d/k", meant=MEANT)
    assert script.asked.count("DeleteObject") == 2
    assert script.parts.deletes.may_delete("d/k", surely=True)


def test_without_a_meaning_it_is_sent_again() -> None:
    script = Script().on("DeleteObject", LOST, ok())
    script.parts.deletes.delete("k")
    assert script.asked == ["DeleteObject"] * 2


# Batches


def result(*errors: tuple[str, str]) -> Raw:
    inner = "".join(f"<Error><Key>{k}</Key><Code>{code}</Code></Error>" for k, code in errors)
    return ok(f"<DeleteResult>{inner}</DeleteResult>")


def bodies(script: Script) -> list[bytes]:
    sent = script.all_of("DeleteMultipleObjects")
    return [one.body for one in sent if isinstance(one.body, bytes)]


def all_meant(*keys: str) -> Mapping[str, ObjectInfo]:
    return {key: info(key) for key in keys}


def test_a_batch_is_one_request() -> None:
    script = Script().on("DeleteMultipleObjects", result())
    assert script.parts.batch_deletes.delete_many(["a", "b"]) == {}
    assert script.asked == ["DeleteMultipleObjects"]
    assert bodies(script)[0].count(b"<Key>") == 2


def test_each_failure_is_reported_for_its_key() -> None:
    answer = result(("a", "AccessDenied"), ("b", "InvalidRequest"))
    failed = (
        Script().on("DeleteMultipleObjects", answer).parts.batch_deletes.delete_many(list("abc"))
    )
    assert list(failed) == ["a", "b"]
    assert isinstance(failed["a"], Denied)
    assert not isinstance(failed["b"], Denied)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (result(("a", "AccessDenied"), ("b", "AccessDenied")), AccessDenied),
        (DENIED, AccessDenied),
        (refused(403, "InvalidAccessKeyId"), BadCredentials),
        (Unreachable("x"), Unreachable),
    ],
)
def test_where_nothing_was_deleted_the_failure_is_raised(
    step: Step, kind: type[TagfsError]
) -> None:
    with pytest.raises(kind):
        Script().on("DeleteMultipleObjects", step).parts.batch_deletes.delete_many(["a", "b"])


@pytest.mark.parametrize("step", [DENIED, Unreachable("x")])
def test_after_the_first_batch_failures_are_reported_for_keys(step: Step) -> None:
    script = Script().on("DeleteMultipleObjects", result(), step)
    size = script.dialect.limits.delete_batch
    keys = [f"k{n:04}" for n in range(size + 1)]
    assert list(script.parts.batch_deletes.delete_many(keys)) == keys[-1:]


def test_versions_are_named_in_a_batch() -> None:
    script = Script().on("DeleteMultipleObjects", result())
    script.parts.batch_deletes.delete_many(["a", "b"], meant=all_meant("a"))
    assert bodies(script)[0].count(ETAG.encode()) == 1


def test_another_version_is_spared() -> None:
    script = Script().on("DeleteMultipleObjects", result(("a", "PreconditionFailed")))
    script.on("HeadObject", ANOTHER)
    failed = script.parts.batch_deletes.delete_many(["a", "b"], meant=all_meant("a", "b"))
    assert isinstance(failed["a"], Spared)
    assert script.features.conditional_deletes


def test_what_is_refused_though_it_is_meant_is_deleted_singly() -> None:
    script = Script().on("DeleteMultipleObjects", result(("a", "PreconditionFailed")))
    script.on("HeadObject", SAME).on("DeleteObject", ok())
    assert script.parts.batch_deletes.delete_many(["a", "b"], meant=all_meant("a", "b")) == {}
    assert conditions(script) == [None]


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_batch_that_takes_no_conditions(status: int) -> None:
    script = Script().on("DeleteMultipleObjects", refused(status), result(), result())
    for _ in range(2):
        script.parts.batch_deletes.delete_many(["a"], meant=all_meant("a"))
    assert [ETAG.encode() in body for body in bodies(script)] == [True, False, False]


@pytest.mark.parametrize(
    ("step", "lasting"),
    [
        (refused(501, "NotImplemented"), True),
        (refused(405), True),
        (refused(400, "InvalidArgument"), True),
        (refused(400), False),  # may be an accident
    ],
)
def test_without_batches_objects_go_one_by_one(step: Raw, *, lasting: bool) -> None:
    script = Script().on("DeleteMultipleObjects", step, result()).on("DeleteObject", *[ok()] * 4)
    for _ in range(2):
        assert script.parts.batch_deletes.delete_many(["a", "b"]) == {}
    assert script.asked.count("DeleteMultipleObjects") == (1 if lasting else 2)


def test_where_single_ones_fail_too_batches_are_tried_again() -> None:
    script = Script().on("DeleteMultipleObjects", refused(501, "NotImplemented"), result())
    script.on("DeleteObject", DENIED, DENIED)
    failed = script.parts.batch_deletes.delete_many(["a", "b"])
    assert all(isinstance(reason, Denied) for reason in failed.values())
    assert script.parts.batch_deletes.delete_many(["a", "b"]) == {}


def test_a_lost_batch_goes_on_with_what_is_left() -> None:
    """What another client made at a deleted key meanwhile stays."""
    script = Script("oss").on("DeleteMultipleObjects", LOST, result())
    script.on("HeadObject", GONE, ANOTHER, SAME)
    meant = all_meant("a", "b", "c")
    assert script.parts.batch_deletes.delete_many(["a", "b", "c"], meant=meant) == {}
    assert [body.count(b"<Key>") for body in bodies(script)] == [3, 1]
    assert b"<Key>c</Key>" in bodies(script)[1]


def test_a_lost_batch_that_may_not_be_looked_at_is_not_known_to_be_refused() -> None:
    script = Script("oss").on("DeleteMultipleObjects", LOST).on("HeadObject", DENIED)
    with pytest.raises(Unreachable, match="may not be looked at"):
        script.parts.batch_deletes.delete_many(["a"], meant=all_meant("a"))


def test_a_lost_batch_whose_keys_are_all_there_is_sent_again() -> None:
    script = Script("oss").on("DeleteMultipleObjects", LOST, result()).on("HeadObject", SAME)
    assert script.parts.batch_deletes.delete_many(["a"], meant=all_meant("a")) == {}
    assert len(bodies(script)) == 2


def test_keys_that_xml_cannot_carry_go_in_urls() -> None:
    script = Script().on("DeleteMultipleObjects", result()).on("DeleteObject", ok())
    assert script.parts.batch_deletes.delete_many(["a\x01", "b"]) == {}
    assert script.all_of("DeleteObject")[0].key == "a\x01"


@pytest.mark.parametrize(("head", "singly"), [(GONE, 0), (described(0), 2), (DENIED, 2)])
def test_a_server_whose_batches_pass_over_markers(head: Step, singly: int) -> None:
    """... is found out by the last marker, in which nothing can be any more."""
    script = Script("s3", "Odd").on("DeleteMultipleObjects", result()).on("HeadObject", head)
    script.on("DeleteObject", *[ok()] * singly)
    assert script.parts.batch_deletes.delete_many(["d/", "d/e/", "d/e/k"], meant=NONE_MEANT) == {}
    assert [one.key for one in script.all_of("DeleteObject")] == ["d/e/", "d/"][:singly]
    assert script.all_of("HeadObject")[0].key == "d/"


def test_markers_go_apart_once_that_is_known() -> None:
    script = Script("s3", "Odd").on("DeleteMultipleObjects", result()).on("DeleteObject", ok())
    script.features.note_deleted_markers(deleted=False)
    assert script.parts.batch_deletes.delete_many(["d/", "d/k"]) == {}
    assert script.asked == ["DeleteMultipleObjects", "DeleteObject"]


# The right to delete


@pytest.mark.parametrize(("step", "allowed"), [(ok(), True), (GONE, True), (DENIED, False)])
def test_whether_a_deletion_is_allowed_is_tried_on_nothing(step: Raw, *, allowed: bool) -> None:
    script = Script().on("DeleteObject", step)
    assert script.parts.deletes.may_delete("d/k") is allowed
    assert (script.last.key or "").startswith("d/.tagfs-trial-")


def test_a_deletion_shows_the_right_to_one_beside_it() -> None:
    script = Script().on("DeleteObject", ok())
    script.parts.deletes.delete("d/k")
    assert script.parts.deletes.may_delete("d/other", surely=True)
    assert len(script.asked) == 1


def test_a_refusal_takes_it_away() -> None:
    script = Script().on("DeleteObject", ok(), DENIED, DENIED)
    script.parts.deletes.delete("d/k")
    with pytest.raises(AccessDenied):
        script.parts.deletes.delete("d/k")
    assert not script.parts.deletes.may_delete("d/other")


def test_a_key_pair_that_is_refused_says_nothing_of_rights() -> None:
    script = Script().on("DeleteObject", refused(403, "InvalidAccessKeyId"))
    with pytest.raises(BadCredentials):
        script.parts.deletes.may_delete("d/k")


def test_what_a_trial_leaves_in_a_bucket_of_versions_goes() -> None:
    marker = ok(x_amz_delete_marker="true", x_amz_version_id="v")
    script = Script().on("DeleteObject", marker, ok())
    assert script.parts.deletes.may_delete("d/k")
    assert dict(script.last.query) == {"versionId": "v"}


@pytest.mark.parametrize(
    ("version", "refusal", "deletions"),
    [
        ("", None, [{}]),
        ("v", None, [{"versionId": "v"}]),
        ("null", None, [{"versionId": "null"}]),
        ("v", DENIED, [{"versionId": "v"}, {}]),  # the right to delete versions is another one
        ("v", refused(400, "InvalidArgument"), [{"versionId": "v"}, {}]),
    ],
)
def test_of_what_was_made_on_trial_no_version_stays(
    version: str, refusal: Step | None, deletions: list[dict[str, str]]
) -> None:
    script = Script().on("DeleteObject", *([refusal] if refusal else []), ok())
    made = Response(status=200, headers={"x-amz-version-id": version}, body=b"")
    script.parts.deletes.delete_made("k", made)
    assert [dict(one.query) for one in script.all_of("DeleteObject")] == deletions


@pytest.mark.parametrize(
    ("step", "everywhere", "logged"),
    [(ok(), True, ""), (DENIED, False, "nothing is renamed"), (Unreachable("x"), False, "")],
)
def test_a_mount_finds_out(step: Step, logged: str, caplog, *, everywhere: bool) -> None:
    script = Script().on("DeleteObject", step, DENIED)
    script.parts.deletes.probe_deletion("p/")
    assert script.parts.deletes.may_delete("elsewhere/k") is everywhere
    assert logged in caplog.text


def test_a_right_is_remembered_for_a_while() -> None:
    clock = FakeClock()
    known = Deletable(clock)
    known.note("d/k")
    clock.now += MEMORY - 1
    assert known.knows("d/other", surely=True)
    assert not known.knows("e/k", surely=True)
    clock.now += 2
    assert not known.knows("d/other", surely=False)


def test_what_is_known_everywhere_is_not_sure_of_one_place() -> None:
    known = Deletable(FakeClock())
    known.everywhere = True
    assert known.knows("d/k", surely=False)
    assert not known.knows("d/k", surely=True)
    known.forget("d/k")
    assert not known.knows("e/k", surely=False)


def test_what_is_there_says_whether_it_is_meant() -> None:
    script = Script().on("HeadObject", SAME, ANOTHER, GONE)
    there = [script.parts.deletes.is_there("k", MEANT) for _ in range(3)]
    assert there == [True, False, False]
    script.on("HeadObject", DENIED)
    with pytest.raises(AccessDenied):
        script.parts.deletes.is_there("k", MEANT)
