"""Whether a server keeps metadata is looked at once, and learnt from what was sent alone."""

import pytest

from tagfs.errors import TagfsError, Unreachable
from tests.unit.store.client.scripted import (
    ETAG,
    LOST,
    OTHER,
    Raw,
    Script,
    described,
    info,
    refused,
)

SENT = {"mode": "420"}


def check(script: Script, key: str = "k", sent=SENT, etag: str = ETAG) -> None:
    script.parts.edits._metadata.check(info(key, etag=etag), sent)


@pytest.mark.parametrize(
    ("server", "sent", "asked"),
    [("AmazonS3", SENT, 0), ("Odd", {}, 0), ("Odd", SENT, 1)],
)
def test_only_an_unknown_server_is_looked_at(server: str, sent: dict[str, str], asked: int) -> None:
    script = Script("s3", server).on("HeadObject", described(x_amz_meta_mode="420"))
    check(script, sent=sent)
    check(script, sent=sent)
    assert len(script.asked) == asked


@pytest.mark.parametrize(
    ("step", "learnt"),
    [
        (described(x_amz_meta_mode="420"), {False: True}),
        (described(), {False: False}),
        # It may not be looked at: that will not change.
        (refused(403, "AccessDenied"), {False: True}),
        # All these say nothing of the server.
        (described(etag=OTHER), {}),
        (refused(403, "InvalidAccessKeyId"), {}),
        (refused(404, "NoSuchKey"), {}),
        (refused(400), {}),
        (Unreachable("x"), {}),
    ],
)
def test_what_is_learnt(step: Raw | TagfsError, learnt: dict[bool, bool]) -> None:
    """Another client's object, written since, proves nothing of what was sent."""
    script = Script("s3", "Odd").on("HeadObject", step)
    check(script)
    assert script.features.keeps_metadata == learnt
    assert script.features.capabilities.metadata is (learnt != {False: False})


def test_where_etags_differ_all_the_same_the_second_look_counts() -> None:
    script = Script("s3", "Odd").on("HeadObject", *[described(etag=OTHER)] * 2)
    check(script)
    check(script)
    assert script.features.keeps_metadata == {False: False}


def test_metadata_of_another_version_is_some_too() -> None:
    script = Script("s3", "Odd").on("HeadObject", described(etag=OTHER, x_amz_meta_a="1"))
    check(script)
    assert script.features.keeps_metadata == {False: True}


def test_without_etags_what_is_found_is_taken_for_what_was_sent() -> None:
    script = Script("s3", "Odd").on("HeadObject", described(etag=""))
    check(script, etag="")
    assert script.features.keeps_metadata == {False: False}


def test_objects_and_markers_are_distinguished() -> None:
    script = Script("s3", "Odd").on("HeadObject", described(0), described(x_amz_meta_mode="1"))
    check(script, "d/")
    assert script.features.capabilities.metadata
    check(script)
    assert script.features.keeps_metadata == {True: False, False: True}


def test_a_lost_look_is_repeated() -> None:
    script = Script("s3", "Odd").on("HeadObject", LOST, described(x_amz_meta_mode="420"))
    check(script)
    assert script.features.keeps_metadata == {False: True}
