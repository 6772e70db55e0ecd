"""Whether markers are kept is found out once, on a name where nothing is."""

import pytest

from tagfs.errors import TagfsError, Unsupported
from tests.unit.store.client.scripted import LOST, Raw, Script, described, ok, refused

GONE = refused(404, "NoSuchKey")
DENIED = refused(403, "AccessDenied")
DELETED = ok("")


def check(script: Script, key: str = "a/d/") -> str:
    try:
        script.parts.writes._markers.check(key)
    except Unsupported as lacking:
        return str(lacking)
    return ""


@pytest.mark.parametrize(
    ("made", "looked", "said"),
    [
        (ok(""), GONE, ""),
        (ok(""), described(), "one becomes a file"),
        (refused(400, "InvalidArgument"), None, "one is refused"),
        (refused(405, "MethodNotAllowed"), None, "one is refused"),
        (refused(501, "NotImplemented"), None, "one is refused"),
    ],
)
def test_what_a_trial_shows(made: Raw, looked: Raw | None, said: str) -> None:
    script = Script(server="Other").on("DeleteObject", DELETED).on("PutObject", made)
    if looked is not None:
        script.on("HeadObject", looked).on("DeleteObject", DELETED)
    found = check(script)
    assert said in found
    assert bool(found) == bool(said)
    assert script.features.capabilities.markers == (not said)
    assert script.unused == {}
    tried = {(request.key or "").rstrip("/") for request in script.transport.sent}
    assert all(key.startswith("a/.tagfs-trial-") for key in tried)
    asked = len(script.asked)
    assert bool(check(script, "b/")) == bool(said)
    assert len(script.asked) == asked


@pytest.mark.parametrize("answer", [DENIED, LOST, refused(409, "Conflict"), refused(500, "x")])
def test_what_fails_on_the_way_says_nothing(answer: Raw | TagfsError) -> None:
    script = Script(server="Other").on("DeleteObject", DELETED)
    assert check(script.on("PutObject", answer)) == ""
    assert script.features.capabilities.markers
    assert not script.features.keeps_markers


def test_nothing_is_left_behind_by_who_may_not_delete() -> None:
    script = Script(server="Other").on("DeleteObject", DENIED)
    assert check(script) == ""
    assert script.asked == ["DeleteObject"]


@pytest.mark.parametrize(("server", "key"), [("AmazonS3", "d/"), ("Other", "d")])
def test_the_service_itself_and_files_cost_nothing(server: str, key: str) -> None:
    script = Script(server=server)
    assert check(script, key) == ""
    assert script.asked == []


def test_who_ignores_sub_resources_is_not_the_service_whatever_it_says() -> None:
    script = Script().on("DeleteObject", DELETED, DELETED).on("PutObject", ok(""))
    script.features.note_ignored("a test")
    assert "becomes a file" in check(script.on("HeadObject", described()))
