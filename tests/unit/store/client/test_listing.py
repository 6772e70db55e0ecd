"""Listings: what is asked for a page, and which answers are none."""

import pytest

from tagfs.errors import AccessDenied, BadCredentials, MalformedResponse, TagfsError
from tests.unit.store.client.scripted import LOST, Raw, Script, listing, ok, refused


@pytest.mark.parametrize(
    ("service", "token", "query"),
    [
        ("s3", None, {"list-type": "2"}),
        ("s3", "t", {"list-type": "2", "continuation-token": "t"}),
        ("oss", None, {"list-type": "2"}),
        ("obs", None, {}),
        ("obs", "t", {"marker": "t"}),
    ],
)
def test_a_page_is_one_request(service: str, token: str | None, query: dict[str, str]) -> None:
    script = Script(service).on("ListObjects", listing("d/a", "d/b"))
    page = script.parts.listing.list("d/", token=token)
    assert [one.key for one in page.objects] == ["d/a", "d/b"]
    common = {"prefix": "d/", "max-keys": "1000", "delimiter": "/"}
    assert {k: v for k, v in script.last.query.items() if k != "encoding-type"} == common | query
    assert script.features.listable


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (listing("d/a", token="t"), "goes on where it began"),
        (listing("e/a"), "has 'e/a' in it"),
        (ok("<ListBucketResult>"), ""),
        (ok("<html>"), ""),
        (ok(""), ""),
        (ok("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"), "goes on"),
    ],
)
def test_a_page_that_cannot_be_is_an_error(answer: Raw, said: str) -> None:
    with pytest.raises(MalformedResponse, match=said or None):
        Script().on("ListObjects", answer).parts.listing.list("d/", token="t")


def test_a_refusal_teaches_no_right_to_list() -> None:
    script = Script().on("ListObjects", refused(403, "AccessDenied"))
    with pytest.raises(AccessDenied):
        script.parts.listing.list("d/")
    assert not script.features.listable


def test_a_scan_asks_for_the_next_page_ahead() -> None:
    pages = listing("a", token="1"), listing("b", token="2"), listing("c")
    script = Script().on("ListObjects", *pages)
    scan = script.parts.listing.scan("")
    next(scan)
    assert len(script.asked) == 2
    assert [page.objects[0].key for page in scan] == ["b", "c"]


def test_a_scan_that_goes_round_ends() -> None:
    pages = listing("a", token="1"), listing("b", token="2"), listing("a", token="1")
    with pytest.raises(MalformedResponse, match="in circles"):
        list(Script().on("ListObjects", *pages).parts.listing.scan(""))


def test_a_page_that_fails_on_the_way_is_raised_by_the_scan() -> None:
    script = Script().on("ListObjects", listing("a", token="1"), refused(403, "AccessDenied"))
    scan = script.parts.listing.scan("")
    assert next(scan).objects[0].key == "a"
    with pytest.raises(AccessDenied):
        next(scan)


def test_keys_that_xml_cannot_carry_are_asked_for_encoded() -> None:
    plain = ok("<ListBucketResult><Contents><Key>\x01</Key></Contents></ListBucketResult>")
    encoded = ok(
        "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextMarker>other</NextMarker><Contents><Key>%01</Key><Size>1</Size><ETag>e</ETag>"
        "<LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    )
    script = Script("obs").on("ListObjects", plain, encoded)
    page = script.parts.listing.list("")
    assert [one.key for one in page.objects] == ["\x01"]
    assert page.token == "\x01"  # whether such a marker is encoded differs
    assert script.last.query["encoding-type"] == "url"


@pytest.mark.parametrize(
    ("service", "said", "marker"),
    [
        ("obs", "<NextMarker>n%E9.txt</NextMarker>", "n\udce9.txt"),
        ("obs", "", "n\udce9.txt"),
        ("s3", "<NextContinuationToken>n%E9</NextContinuationToken>", "n%E9"),
    ],
)
def test_a_page_that_ends_with_a_key_that_is_not_utf8_goes_on(
    service: str, said: str, marker: str
) -> None:
    """... after its bytes as they are; what begins with such a key can be mounted as well."""
    page = ok(
        f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>{said}"
        "<Contents><Key>n%E9.txt</Key><Size>1</Size><ETag>e</ETag>"
        "<LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    )
    script = Script(service).on("ListObjects", page, page, listing("\ua000"))
    script.parts.probes.check()
    pages = list(script.parts.listing.scan(""))
    assert [one.key for page in pages for one in page.objects][1:] == ["\ua000"]
    assert marker in script.last.query.values()
    target = script.transport.endpoint.target(None, script.last.query)
    assert ("=n%E9.txt" if service == "obs" else "=n%25E9") in target


def test_a_lost_page_is_asked_for_again() -> None:
    script = Script().on("ListObjects", LOST, listing("a"))
    assert len(script.parts.listing.list("").objects) == 1


@pytest.mark.parametrize(
    ("denied", "kind"),
    [(BadCredentials("x"), BadCredentials), (AccessDenied("x"), AccessDenied)],
)
def test_what_may_not_be_seen_at_all(denied: AccessDenied, kind: type[TagfsError]) -> None:
    script = Script().on("ListObjects", refused(403, "AccessDenied"))
    with pytest.raises(kind):
        script.parts.listing.find_instead("k", denied)
    assert script.asked == ([] if kind is BadCredentials else ["ListObjects"])
