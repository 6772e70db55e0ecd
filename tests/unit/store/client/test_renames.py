"""Renames by the service: what is looked at before a second attempt."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRequest,
    NotEmpty,
    NotFound,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tests.unit.store.client.scripted import (
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

GONE = refused(404, "NoSuchKey")
SAME, ANOTHER = described(), described(etag=OTHER)


@pytest.fixture
def script() -> Script:
    one = Script("obs")
    one.features.note_hierarchy("a parallel file system", renames=True)
    return one


def test_a_rename_is_one_request(script: Script) -> None:
    script.on("RenameObject", ok()).parts.renames.rename("d/a", "e/b")
    assert (script.last.key, script.last.query["name"]) == ("d/a", "/e/b")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (GONE, NotFound),
        (refused(409, "FsObjectConflict"), AlreadyExists),
        (refused(409, "FsRenameConflict"), AlreadyExists),
        (refused(409, "DirectoryNotEmpty"), NotEmpty),
        (refused(403, "AccessDenied"), AccessDenied),
        (LOST, Unreachable),
    ],
)
def test_a_rename_that_fails(script: Script, step: Step, kind: type[TagfsError]) -> None:
    script.on("RenameObject", step).on("HeadObject", SAME, GONE)
    with pytest.raises(kind):
        script.parts.renames.rename("a", "b")


@pytest.mark.parametrize(("key", "new"), [("a/", "b"), ("a", "b/"), ("", "b"), ("a", "/b")])
def test_what_cannot_be_renamed_is_not_sent(script: Script, key: str, new: str) -> None:
    with pytest.raises(InvalidRequest):
        script.parts.renames.rename(key, new)
    assert script.asked == []


def test_other_buckets_rename_nothing() -> None:
    script = Script("s3")
    with pytest.raises(Unsupported):
        script.parts.renames.rename("a", "b")
    assert script.asked == []


@pytest.mark.parametrize(
    ("old", "new", "key", "done"),
    [
        (GONE, SAME, "a", True),
        (SAME, GONE, "a", False),
        (GONE, GONE, "a", False),
        # Another client made something under the old name since.
        (ANOTHER, SAME, "a", True),
        # It was not renamed, and something else is at the new name.
        (SAME, ANOTHER, "a", False),
        (SAME, SAME, "a", False),
        (ANOTHER, ANOTHER, "a", False),
        (GONE, SAME, "a/", True),
        (SAME, SAME, "a/", False),
    ],
)
def test_a_rename_whose_answer_was_lost(
    script: Script, old: Raw, new: Raw, key: str, *, done: bool
) -> None:
    script.on("RenameObject", LOST, ok()).on("HeadObject", old, new)
    slash = "/" if key.endswith("/") else ""
    script.parts.renames.rename(key, f"b{slash}", source=info(key))
    assert script.asked.count("RenameObject") == (1 if done else 2)


@pytest.mark.parametrize(("new", "kind"), [(SAME, None), (GONE, NotFound)])
def test_a_second_attempt_that_finds_nothing(script: Script, new: Raw, kind) -> None:
    """... is looked at again: the first may have been under way still."""
    script.on("RenameObject", LOST, GONE).on("HeadObject", SAME, GONE, GONE, new)
    if kind is None:
        script.parts.renames.rename("a", "b", source=info("a"))
    else:
        with pytest.raises(kind):
            script.parts.renames.rename("a", "b", source=info("a"))
