"""What is at a key: HEAD, a link's own description, a listing beside it."""

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    TagfsError,
    Unreachable,
)
from tagfs.store.client.reads.heads import BESIDE
from tagfs.store.objects import Detail, ObjectType
from tests.unit.store.client.scripted import (
    LOST,
    Raw,
    Script,
    Step,
    described,
    listing,
    ok,
    refused,
)

DENIED = refused(403, "AccessDenied")
EXPIRED = refused(403, "InvalidAccessKeyId")
GONE = refused(404, "NoSuchKey")
LINKED = described(x_oss_object_type="Symlink")
TARGET = described(x_oss_symlink_target="d%2Ft")


def test_a_head_describes_an_object() -> None:
    script = Script().on("HeadObject", described(7, x_amz_meta_a="1", x_amz_tagging_count="2"))
    found = script.parts.heads.head("k")
    detail = found.detail or Detail()
    assert (found.size, detail.metadata, detail.tag_count) == (7, {"a": "1"}, 2)
    assert script.last.proof_header == "etag"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (GONE, NotFound),
        (DENIED, AccessDenied),
        (ok(etag='"x"', content_length="5"), MalformedResponse),
        (ok(etag='"x"', last_modified="Tue, 02 Jan 2024 03:04:05 GMT"), MalformedResponse),
    ],
)
def test_a_head_that_fails(step, kind: type[TagfsError]) -> None:
    with pytest.raises(kind):
        Script().on("HeadObject", step).parts.heads.head("k")


def test_a_lost_head_is_sent_again() -> None:
    script = Script().on("HeadObject", LOST, described())
    assert script.parts.heads.head("k").size == 5


@pytest.mark.parametrize("head", [LINKED, refused(404, "SymlinkTargetNotExist")])
def test_a_link_is_described_itself(head) -> None:
    """... also where its target is not there."""
    script = Script("oss").on("HeadObject", head).on("GetSymlink", TARGET)
    found = script.parts.heads.head("link")
    detail = found.detail or Detail()
    assert (found.type, detail.target, found.size) == (ObjectType.SYMLINK, "d/t", 3)
    assert script.asked == ["HeadObject", "GetSymlink"]
    assert script.features.links_proven


def test_a_hint_saves_a_request() -> None:
    script = Script("oss").on("GetSymlink", TARGET)
    script.parts.heads.head("link", expected=ObjectType.SYMLINK)
    assert script.asked == ["GetSymlink"]


def test_a_hint_that_is_out_of_date_costs_one() -> None:
    script = (
        Script("oss").on("GetSymlink", refused(400, "NotSymlink")).on("HeadObject", described())
    )
    found = script.parts.heads.head("link", expected=ObjectType.SYMLINK)
    assert found.type is ObjectType.NORMAL


def test_what_turns_from_link_to_file_and_back_is_given_up() -> None:
    script = (
        Script("oss").on("HeadObject", LINKED, LINKED).on("GetSymlink", refused(400, "NotSymlink"))
    )
    with pytest.raises(ObjectChanged):
        script.parts.heads.head("k")
    assert len(script.asked) == 3


def test_many_heads_leave_out_what_is_not_plain() -> None:
    answers = described(), GONE, DENIED, ok(etag='"x"'), LOST
    script = Script().on("HeadObject", *answers)
    assert list(script.parts.heads.head_many(list("abcde"))) == ["a"]


def test_many_heads_leave_out_links() -> None:
    script = Script("oss").on("HeadObject", LINKED, described())
    assert list(script.parts.heads.head_many(["link", "k"])) == ["k"]


@pytest.mark.parametrize(
    ("head", "below", "expected"),
    [
        (described(), listing(), (True, False, False)),
        (GONE, listing(), (False, False, False)),
        (GONE, listing("k/x"), (False, True, False)),
        (GONE, listing("k/"), (False, True, True)),
        (described(), listing("k/"), (True, True, True)),
        (described(), DENIED, (True, False, False)),
        # Nobody may look at it: a listing of the key itself says whether it is there.
        (DENIED, listing("k/x"), (False, True, False)),
    ],
)
def test_a_lookup_is_a_head_and_a_listing(head, below, expected) -> None:
    script = looking(head, below)
    found = script.parts.heads.lookup("k")
    assert (found.info is not None, found.is_prefix, found.marker is not None) == expected


def looking(head: Step, below: Step) -> Script:
    """Return a script whose answers, where they are not plain, come twice."""
    script = Script()
    for operation, step in (("HeadObject", head), ("ListObjects", below)):
        plain = isinstance(step, Raw) and step.status in (200, 404)
        script.on(operation, step, *() if plain else (step,))
    return script


def test_what_a_lookup_is_refused_is_asked_for_once_from_then_on() -> None:
    script = looking(described(), DENIED)
    script.parts.heads.lookup("k")
    assert script.asked == ["HeadObject", "ListObjects", "ListObjects"]
    script.on("HeadObject", described()).on("ListObjects", DENIED)
    assert script.parts.heads.lookup("l").info is not None
    assert len(script.asked) == 5


def test_what_is_at_a_link_is_the_link() -> None:
    script = Script("oss").on("HeadObject", LINKED).on("ListObjects", listing())
    found = script.on("GetSymlink", TARGET).parts.heads.lookup("link").info
    assert found is not None
    assert found.type is ObjectType.SYMLINK


@pytest.mark.parametrize(
    ("below", "whole"),
    [
        (listing("k/", "k/x"), ["k/", "k/x"]),
        (listing("k/x", token="t"), None),
        (listing(), None),
        (DENIED, None),
    ],
)
def test_a_small_directory_comes_with_its_lookup(below, whole: list[str] | None) -> None:
    script = looking(described(), below)
    found = script.parts.heads.lookup("k").listing
    assert (found and [info.key for info in found.objects]) == whole
    asked = script.all_of("ListObjects")[0].query
    assert (asked["delimiter"], asked["max-keys"]) == ("/", str(BESIDE))


def test_but_not_where_who_reads_it_may_be_shown_more() -> None:
    script = looking(GONE, listing("k/x"))
    script.transport.server = "MinIO"
    assert script.parts.heads.lookup("k").listing is None
    script.features.detailed_scans = False
    script.on("HeadObject", GONE).on("ListObjects", listing("k/x"))
    assert script.parts.heads.lookup("k").listing is not None


def test_a_page_of_nothing_that_goes_on_is_asked_for_without_directories() -> None:
    script = looking(GONE, listing(token="t")).on("ListObjects", listing("k/x/y"))
    found = script.parts.heads.lookup("k")
    assert found.is_prefix
    assert found.listing is None
    assert "delimiter" not in script.last.query


def test_a_listing_that_cannot_be_read_is_asked_for_otherwise() -> None:
    script = Script("obs").on("HeadObject", GONE)
    script.on("ListObjects", ok("<ListBuck"), ok("<ListBuck"), listing("k/x"))
    assert script.parts.heads.lookup("k").is_prefix
    assert "encoding-type" in script.last.query


@pytest.mark.parametrize(("at_key", "there"), [(listing("k"), True), (listing("kk"), False)])
def test_what_may_not_be_looked_at_is_listed(at_key, *, there: bool) -> None:
    script = looking(DENIED, listing()).on("ListObjects", at_key)
    assert (script.parts.heads.lookup("k").info is not None) is there


@pytest.mark.parametrize(
    ("head", "below", "kind"),
    [
        (GONE, DENIED, AccessDenied),
        (DENIED, DENIED, AccessDenied),
        (described(), EXPIRED, BadCredentials),
        (EXPIRED, listing(), BadCredentials),
        (Unreachable("x"), listing(), Unreachable),
    ],
)
def test_a_lookup_that_proves_nothing_is_an_error(head, below, kind: type[TagfsError]) -> None:
    """An absence that nobody saw must not be reported: a program would create what is there."""
    with pytest.raises(kind):
        looking(head, below).parts.heads.lookup("k")


@pytest.mark.parametrize(
    ("head", "listed", "free"),
    [
        (GONE, None, True),
        (described(), None, False),
        (DENIED, listing(), True),
        (DENIED, listing("k"), False),
        (DENIED, listing("kk"), True),
    ],
)
def test_whether_a_key_is_free(head, listed, *, free: bool) -> None:
    script = Script().on("HeadObject", head)
    if listed is not None:
        script.on("ListObjects", listed)
    if free:
        script.parts.heads.check_free("k")
    else:
        with pytest.raises(AlreadyExists):
            script.parts.heads.check_free("k")


def test_encryption_that_no_copy_keeps_is_noticed() -> None:
    script = Script().on("HeadObject", described(x_amz_server_side_encryption="AES256"))
    script.parts.heads.head("k")
    assert not script.features.sees_uncopied
    script.on("HeadObject", described(x_amz_server_side_encryption="aws:kms")).parts.heads.head("k")
    assert script.features.sees_uncopied


@pytest.mark.parametrize(
    ("text", "count", "tags"),
    [
        ("a=b", "1", {"a": "b"}),
        ("a=b+c&d=1%2B1", "2", {"a": "b c", "d": "1+1"}),
        ("a%20b=c%20d", "1", {"a b": "c d"}),
        ("a=%26", "1", None),  # not of this protocol: asked for by itself, so that rules learn
        ("k=%C3%A4%3D", "1", {"k": "ä="}),
        ("a=&b", "2", {"a": "", "b": ""}),
        ("a=b&c=d", "1", None),
        ("a=b", None, None),
        ("a=%zz", "1", None),
        ("a=b&a=c", "1", None),
        ("aws%3Ax=b", "1", None),
        ("", None, None),
        (None, "2", None),  # the right to read them may be missing
    ],
)
def test_tags_come_with_a_head_where_they_can_be_read(
    text: str | None, count: str | None, tags: dict[str, str] | None
) -> None:
    sent = {"x-amz-tagging": text, "x-amz-tagging-count": count}
    plain = described()
    answer = Raw(200, {**plain.headers, **{name: value for name, value in sent.items() if value}})
    script = Script().on("HeadObject", answer, answer)
    assert (script.parts.heads.head("k").detail or Detail()).tags is None
    script.features.note_tags_in_heads(right=True)
    assert (script.parts.heads.head("k").detail or Detail()).tags == tags
