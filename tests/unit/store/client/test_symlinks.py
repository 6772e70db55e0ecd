"""Link objects: made where the bucket surely has them, and copied as links."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRequest,
    NameTooLong,
    ObjectChanged,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.objects import NewObject, ObjectType
from tagfs.store.tags import NO_TAGS
from tests.unit.store.client.scripted import (
    LINK,
    LOST,
    Script,
    Step,
    described,
    ok,
    refused,
    tag_set,
)

NEW = NewObject(tags=NO_TAGS, acl={})
DONE = ok(etag='"e"')
GONE = refused(404, "NoSuchKey")


def test_a_link_is_one_request() -> None:
    script = Script("oss").on("PutSymlink", DONE)
    made = script.parts.links.put_symlink("link", "d/ü", NEW)
    assert (made.type, made.size, made.etag) == (ObjectType.SYMLINK, 4, "e")
    assert script.last.headers["x-oss-symlink-target"] == "d%2F%C3%BC"
    assert script.last.query == {"symlink": ""}


@pytest.mark.parametrize(
    ("service", "target", "kind"),
    [
        ("oss", "", InvalidRequest),
        ("oss", "t" * 1025, NameTooLong),
        ("obs", " t", Unsupported),
        ("s3", "t", Unsupported),
    ],
)
def test_what_is_no_link_is_not_sent(service: str, target: str, kind: type[TagfsError]) -> None:
    script = Script(service)
    if service == "s3":
        script.features.disable("symlinks", "no service of this kind has them")
    with pytest.raises(kind):
        script.parts.links.put_symlink("link", target, NEW)
    assert script.asked == []


@pytest.mark.parametrize(
    ("put", "look", "kind"),
    [
        (DONE, described(x_obs_symlink_target="x"), None),
        (DONE, refused(400, "NotSymlink"), FeatureMissing),  # an empty object was made
        (DONE, described(), FeatureMissing),
        (refused(400, "Odd"), None, FeatureMissing),
        (refused(405, "MethodNotAllowed"), None, FeatureMissing),
        (refused(403, "AccessDenied"), None, AccessDenied),  # proves nothing
        (LOST, None, Unreachable),
    ],
)
def test_the_first_link_is_tried_beside_its_place(put: Step, look: Step | None, kind) -> None:
    """A bucket without links would make an empty object of it, over what is at the key."""
    script = Script("obs").on("PutSymlink", put)
    if look is not None:
        script.on("GetSymlink", look).on("DeleteObject", ok())
    if kind is None:
        script.on("PutSymlink", DONE)
        script.parts.links.put_symlink("d/link", "t", NEW)
        trial, link = script.all_of("PutSymlink")
        assert link.key == "d/link"
    else:
        with pytest.raises(kind):
            script.parts.links.put_symlink("d/link", "t", NEW)
        (trial,) = script.all_of("PutSymlink")
    assert (trial.key or "").startswith("d/.tagfs-trial-")
    assert ("DeleteObject" in script.asked) is (look is not None)
    assert script.features.capabilities.symlinks is (kind is not FeatureMissing)


def test_a_trial_that_may_stay_is_logged(caplog) -> None:
    script = Script("obs").on("PutSymlink", LOST)
    with pytest.raises(Unreachable):
        script.parts.links.put_symlink("link", "t", NEW)
    assert "made on trial, may stay behind" in caplog.text


@pytest.mark.parametrize(("target", "ours"), [("t", True), ("other", False)])
def test_an_exclusive_link_that_finds_itself(target: str, *, ours: bool) -> None:
    taken = refused(409, "FileAlreadyExists")
    script = Script("oss").on("PutSymlink", LOST, taken)
    script.on("GetSymlink", described(x_oss_symlink_target=target))
    new = NewObject(tags=NO_TAGS, acl={}, exclusive=True)
    if ours:
        assert script.parts.links.put_symlink("link", "t", new).type is ObjectType.SYMLINK
    else:
        with pytest.raises(AlreadyExists):
            script.parts.links.put_symlink("link", "t", new)


def test_a_copy_of_a_link_is_a_link_with_its_tags() -> None:
    script = Script("oss").on("GetSymlink", described(x_oss_symlink_target="t", x_oss_meta_a="1"))
    script.on("GetObjectTagging", tag_set(a="b")).on("PutSymlink", DONE)
    script.features.note_heeded(proves_tags=True)
    script.parts.links.copy(LINK, "other", None, {}, exclusive=False)
    sent = script.all_of("PutSymlink")[0]
    assert (sent.key, sent.headers["x-oss-tagging"], sent.headers["x-oss-meta-a"]) == (
        "other",
        "a=b",
        "1",
    )


def test_what_is_no_longer_a_link_is_not_copied_as_one() -> None:
    script = (
        Script("oss").on("GetSymlink", refused(400, "NotSymlink")).on("HeadObject", described())
    )
    with pytest.raises(ObjectChanged):
        script.parts.links.copy(LINK, "other", NO_TAGS, {}, exclusive=False)
