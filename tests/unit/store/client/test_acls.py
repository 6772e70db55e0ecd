"""ACLs: read before a rewrite, sent with it, and what a refusal of each is taken for."""

import logging

import pytest

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    IntegrityError,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unreachable,
)
from tagfs.store.acl import DEFAULT_ACL, DOCUMENT, WORD
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.client.acls.memory import AclNotes
from tagfs.store.client.acls.object_acls import ObjectAcls
from tagfs.store.client.refusals import REFUSED
from tagfs.store.http.messages import Request
from tagfs.store.objects import NewObject
from tests.fakes.clock import FakeClock
from tests.unit.store.client.scripted import BUSY, LOST, Raw, Script, Step, ok, refused

OWNER = "<Owner><ID>me</ID></Owner>"
FULL = "<Grant><Grantee><ID>me</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>"
ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
READ = f"<Grant><Grantee><URI>{ALL}</URI></Grantee><Permission>READ</Permission></Grant>"
DENIED = refused(403, "AccessDenied")
NOT_HERE = refused(400, "AccessControlListNotSupported")
EXPIRED = refused(403, "InvalidAccessKeyId")


def acl(*grants: str) -> Raw:
    listed = "".join(grants)
    return ok(
        f"<AccessControlPolicy>{OWNER}<AccessControlList>{listed}</AccessControlList>"
        "</AccessControlPolicy>"
    )


PRIVATE, PUBLIC = acl(FULL), acl(FULL, READ)


@pytest.fixture
def script() -> Script:
    """A mount that keeps ACLs, of a service that has them."""
    return Script("oss", acl="keep")


def acls(script: Script) -> ObjectAcls:
    return script.parts.acls


# Reading


@pytest.mark.parametrize(
    ("step", "expected"),
    [(PRIVATE, DEFAULT_ACL), (PUBLIC, {WORD: "public-read"})],
)
def test_an_acl_is_what_a_rewrite_must_send(script: Script, step: Raw, expected) -> None:
    assert acls(script.on("GetObjectAcl", step)).get_acl("k") == expected


@pytest.mark.parametrize("step", [LOST, BUSY])
def test_a_read_without_an_answer_is_repeated(script: Script, step: Step) -> None:
    assert acls(script.on("GetObjectAcl", step, PUBLIC)).get_acl("k") == {WORD: "public-read"}


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (refused(404, "NoSuchKey"), NotFound),
        (Unreachable("x"), Unreachable),
        (EXPIRED, BadCredentials),  # no word of this object's ACL
        (ok("<Error><Code>InternalError</Code></Error>"), IntegrityError),
    ],
)
def test_an_acl_that_is_not_known_stops_a_rewrite(
    script: Script, step: Step, kind: type[TagfsError]
) -> None:
    with pytest.raises(kind):
        acls(script.on("GetObjectAcl", step)).get_acl("k")


@pytest.mark.parametrize("choice", ["off", "private"])
def test_who_keeps_none_asks_for_none(choice: str) -> None:
    assert acls(Script("oss", acl=choice)).get_acl("k") == DEFAULT_ACL


@pytest.mark.parametrize(
    "step", [NOT_HERE, refused(501, "NotImplemented"), refused(405), ok("content"), ok("")]
)
def test_a_bucket_without_acls_is_asked_once(script: Script, step: Raw) -> None:
    script.on("GetObjectAcl", step)
    assert acls(script).get_acl("a") == acls(script).get_acl("b") == DEFAULT_ACL
    assert script.asked == ["GetObjectAcl"]


@pytest.mark.parametrize("step", [ok("content"), ok("")])
def test_after_a_proof_an_odd_answer_is_an_error(script: Script, step: Raw) -> None:
    script.on("GetObjectAcl", PUBLIC, step, PUBLIC)
    acls(script).get_acl("a")
    with pytest.raises(MalformedResponse):
        acls(script).get_acl("b")
    assert acls(script).get_acl("b") == {WORD: "public-read"}


def test_a_refusal_is_of_one_directory_and_passes(script: Script, caplog) -> None:
    script.on("GetObjectAcl", DENIED, DENIED, PUBLIC)
    for _ in range(3):
        assert acls(script).get_acl("d/k") == DEFAULT_ACL
    assert acls(script).get_acl("e/k") == {WORD: "public-read"}
    assert script.asked.count("GetObjectAcl") == 3
    assert [one.levelno for one in caplog.records] == [logging.WARNING]


def test_where_sub_resources_are_ignored_nothing_is_asked(script: Script) -> None:
    script.features.note_ignored("a listing")
    assert acls(script).get_acl("k") == DEFAULT_ACL
    assert script.asked == []


def test_a_bucket_whose_owner_owns_all_is_asked_no_more() -> None:
    owned = "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    script = Script("s3", acl="keep").on("GetObjectAcl", PRIVATE)
    script.on("GetBucketOwnershipControls", ok(f"<OwnershipControls>{owned}</OwnershipControls>"))
    assert acls(script).get_acl("a") == acls(script).get_acl("b") == DEFAULT_ACL
    assert script.asked == ["GetBucketOwnershipControls", "GetObjectAcl"]


def test_a_bucket_that_may_not_be_asked_is_asked_by_its_objects() -> None:
    script = Script("s3", acl="keep").on("GetObjectAcl", PUBLIC, PUBLIC)
    script.on("GetBucketOwnershipControls", DENIED)
    assert acls(script).get_acl("a") == acls(script).get_acl("b") == {WORD: "public-read"}


# What a write sends


@pytest.mark.parametrize(
    ("choice", "new", "asked", "expected"),
    [
        ("off", NewObject(), 0, {}),
        ("public-read", NewObject(), 0, {WORD: "public-read"}),
        ("keep", NewObject(exclusive=True), 0, {}),
        ("keep", NewObject(acl={WORD: "private"}), 0, {WORD: "private"}),
        ("off", NewObject(acl={WORD: "private"}), 0, {}),
        ("keep", NewObject(), 1, {WORD: "public-read"}),
    ],
)
def test_the_acl_of_new_content(choice: str, new: NewObject, asked: int, expected) -> None:
    script = Script("oss", acl=choice).on("GetObjectAcl", PUBLIC)
    assert acls(script).begin_for("k", new).result() == expected
    assert len(script.asked) == asked


def test_what_is_not_there_has_none(script: Script) -> None:
    script.on("GetObjectAcl", refused(404, "NoSuchKey"))
    assert acls(script).begin_for("k", NewObject()).result() == DEFAULT_ACL


def test_what_was_just_written_is_not_asked_for(script: Script) -> None:
    acls(script).deliver("k", {WORD: "private"})
    assert acls(script).begin_for("k", NewObject()).result() == {WORD: "private"}
    acls(script).forget("k")
    script.on("GetObjectAcl", PUBLIC)
    assert acls(script).begin_for("k", NewObject()).result() == {WORD: "public-read"}


def request(word: str) -> Request:
    headers = {"x-oss-object-acl": word, "x-oss-meta-a": "1"}
    return Request(operation="PutObject", method="PUT", key="k", headers=headers)


@pytest.mark.parametrize(
    ("first", "lacking"),
    [(DENIED, False), (NOT_HERE, True), (refused(501, "NotImplemented"), True)],
)
def test_what_is_refused_with_an_acl_is_sent_without(
    script: Script, caplog, first: Raw, *, lacking: bool
) -> None:
    script.on("PutObject", first, ok())
    acls(script).send(request("public-read"))
    assert [len(one.headers) for one in script.transport.sent] == [2, 1]
    assert bool(acls(script)._notes.lacking) is lacking
    assert ("PutObjectAcl" in caplog.text) is not lacking


def test_what_is_refused_without_it_too_is_refused(script: Script, caplog) -> None:
    with pytest.raises(AccessDenied):
        acls(script.on("PutObject", DENIED, DENIED)).send(request("public-read"))
    assert caplog.text == ""


def test_a_private_object_is_not_written_more_open(script: Script, caplog) -> None:
    with pytest.raises(AccessDenied):
        acls(script.on("PutObject", DENIED)).send(request("private"))
    assert "an object that is private was not rewritten" in caplog.text
    assert len(script.asked) == 1


def test_an_answer_that_the_caller_expects_is_its_own(script: Script) -> None:
    script.on("PutObject", refused(409, "FileAlreadyExists"))
    answer = acls(script).send(request("public-read"), allow={"FileAlreadyExists"})
    assert answer.status == 409


# What no header can say


def test_a_document_is_set_afterwards(script: Script) -> None:
    script.on("PutObjectAcl", ok())
    acls(script).deliver("k", {DOCUMENT: "<AccessControlPolicy/>"})
    assert script.last.body == b"<AccessControlPolicy/>"


@pytest.mark.parametrize(
    ("word", "step", "kind"),
    [
        ("public-read", DENIED, None),
        ("private", DENIED, AccessDenied),  # others could read the object
        ("private", NOT_HERE, None),
        ("public-read", Unreachable("x"), Unreachable),
    ],
)
def test_an_acl_that_may_not_be_set(script: Script, word: str, step: Step, kind) -> None:
    script.on("PutObjectAcl", step)
    if kind is None:
        acls(script).set_acl("k", {WORD: word})
    else:
        with pytest.raises(kind):
            acls(script).set_acl("k", {WORD: word})


# What is remembered


def test_answers_and_refusals_are_remembered_for_a_while() -> None:
    clock = FakeClock()
    notes = AclNotes(clock)
    notes.note("d/k", {WORD: "private"})
    notes.note_unread("d/k")
    assert not notes.is_unreadable("d/k")  # one may be an accident
    notes.note_unread("d/k")
    assert notes.recent("d/k") == {WORD: "private"}
    assert (notes.is_unreadable("d/other"), notes.is_unreadable("e/k")) == (True, False)
    clock.now += FRESH_WITHIN + 0.1
    assert notes.recent("d/k") is None
    clock.now += REFUSED
    assert not notes.is_unreadable("d/k")


def test_one_that_was_read_ends_refusals() -> None:
    notes = AclNotes(FakeClock())
    notes.note_unread("d/k")
    notes.note_unread("d/k")
    notes.note_read("d/k")
    assert not notes.is_unreadable("d/k")
    assert notes.proven


def test_what_is_remembered_is_bounded() -> None:
    notes = AclNotes(FakeClock())
    for number in range(3000):
        notes.note(f"d{number}/k", {})
        notes.note_unread(f"d{number}/k")
    assert len(notes._recent) == len(notes._unread) == 1000


def test_one_caller_asks_and_one_says() -> None:
    notes = AclNotes(FakeClock())
    assert [notes.is_first(), notes.is_first()] == [True, False]
    assert [notes.is_unsaid("x"), notes.is_unsaid("x"), notes.is_unsaid("y")] == [True, False, True]
