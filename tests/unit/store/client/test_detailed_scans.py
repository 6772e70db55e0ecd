"""Listings with attributes and tags: when they are asked for, and when they are not believed."""

import pytest

from tagfs.store.objects import Page
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.store.client.scripted import ETAG, Raw, Script, described, ok, refused, tag_set

EXTENDED = "<KeyCount>1</KeyCount>"
OWN = "<Metadata><Name>mode</Name><Value>33188</Value></Metadata>"
MODE = "<X-Amz-Meta-Mode>33188</X-Amz-Meta-Mode>"
TYPE = "<content-type>text/plain</content-type>"
INTERNAL = "<Internal><K>1</K><M>0</M></Internal>"
PLAIN = ""
FULL = f"<UserMetadata>{MODE}{TYPE}</UserMetadata><UserTags>a=b+c</UserTags>{INTERNAL}"


def listed(*extras: str, token: str = "", head: str = "") -> Raw:
    contents = "".join(
        f"<Contents><Key>d/{number}</Key><Size>5</Size><ETag>{ETAG}</ETag>"
        f"<LastModified>2024-01-02T03:04:05.000Z</LastModified>{extra}</Contents>"
        for number, extra in enumerate(extras)
    )
    more = "<IsTruncated>true</IsTruncated>" if token else ""
    following = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return ok(f"<ListBucketResult>{head}{contents}{more}{following}</ListBucketResult>")


def head(etag: str = ETAG, content_type: str = "text/plain", **headers: str) -> Raw:
    return described(5, etag, x_amz_meta_mode="33188", content_type=content_type, **headers)


def pages(script: Script) -> list[Page]:
    return list(script.parts.scans.scan("d/"))


def asked(script: Script) -> list[str]:
    """Say how listings were asked for: with headers, with metadata, plainly."""
    requests = script.all_of("ListObjects")
    ways = {"2": "plain", "ext-v1": "metadata"}
    return [
        "headers" if "metadata" in request.query else ways[request.query["list-type"]]
        for request in requests
    ]


def other_server(*, knows_heads: bool = True) -> Script:
    """A server of others; that a HEAD has no tags is known, unless it is to be found out."""
    script = Script("s3", server="MinIO")
    script.features.tags_in_heads = False if knows_heads else None
    return script


def test_what_is_right_is_believed() -> None:
    script = other_server().on("ListObjects", listed(FULL, PLAIN, token="t"), listed(FULL))
    script.on("HeadObject", head(x_amz_tagging_count="1")).on("GetObjectTagging", tag_set(a="b c"))
    first, second = pages(script)
    assert [bool(info.detail) for info in first.objects] == [True, False]
    assert first.tags == second.tags == {"d/0": TagSet({"a": "b c"})}
    detail = second.objects[0].detail
    assert detail is not None
    assert (detail.metadata, detail.headers) == ({"mode": "33188"}, {"content-type": "text/plain"})
    assert asked(script) == ["headers", "headers"]


@pytest.mark.parametrize(
    ("extra", "head_answer", "tags_answer", "believed"),
    [
        (FULL, head(x_amz_meta_other="x"), tag_set(a="b c"), (False, True)),
        (FULL, head(x_amz_version_id="1"), tag_set(a="b c"), (False, True)),
        (FULL, head(content_type="text/html"), tag_set(a="b c"), (False, True)),
        (FULL, refused(403, "AccessDenied"), tag_set(a="b c"), (False, True)),
        (FULL, head(), tag_set(a="b+c"), (True, False)),
        (FULL, head(), refused(403, "AccessDenied"), (True, False)),
        (INTERNAL, described(), tag_set(), (True, True)),
        (INTERNAL, described(), tag_set(a="b"), (True, False)),
    ],
)
def test_only_what_agrees_is_believed(
    extra: str, head_answer: Raw, tags_answer: Raw, believed: tuple[bool, bool]
) -> None:
    script = other_server().on("ListObjects", listed(extra))
    script.on("HeadObject", head_answer).on("GetObjectTagging", tags_answer)
    [page] = pages(script)
    assert (page.objects[0].detail is not None, "d/0" in page.tags) == believed


@pytest.mark.parametrize(
    ("head_answer", "tags_answer"),
    [
        (head(x_amz_meta_other="x"), tag_set(a="b")),
        (refused(403, "AccessDenied"), refused(403, "AccessDenied")),
    ],
)
def test_a_server_that_is_wrong_is_not_asked_again(head_answer: Raw, tags_answer: Raw) -> None:
    script = other_server().on("ListObjects", listed(FULL), listed(PLAIN), listed(FULL))
    script.on("HeadObject", head_answer).on("GetObjectTagging", tags_answer)
    for _ in range(2):
        [page] = pages(script)
        assert (page.objects[0].detail, page.tags) == (None, {})
    assert asked(script) == ["headers", "metadata", "plain"]


@pytest.mark.parametrize("answer", [refused(404), head(etag="0" * 31 + "9")])
def test_an_object_that_changes_meanwhile_decides_nothing(answer: Raw) -> None:
    script = other_server().on("ListObjects", listed(FULL), listed(FULL))
    script.on("HeadObject", answer, head()).on("GetObjectTagging", tag_set(a="b c"))
    assert pages(script)[0].tags == {}
    assert pages(script)[0].tags != {}
    assert asked(script) == ["headers", "headers"]


def test_a_server_that_ignores_both_is_asked_once_more_than_needed() -> None:
    """One that does not know the second way answers as version 1 does, whose markers differ."""
    script = other_server().on("ListObjects", listed(PLAIN, PLAIN, token="t"), listed(token="u"))
    script.on("ListObjects", listed(), listed())
    assert [len(page.objects) for page in pages(script)] == [2, 0]
    pages(script)
    assert asked(script) == ["headers", "metadata", "plain", "plain"]
    assert script.all_of("ListObjects")[2].query["continuation-token"] == "t"
    assert set(script.asked) == {"ListObjects"}


def test_an_empty_directory_decides_nothing() -> None:
    script = other_server().on("ListObjects", listed(), listed(PLAIN), listed(head=EXTENDED))
    script.on("ListObjects", listed(PLAIN, head=EXTENDED))
    for _ in range(3):
        pages(script)
    assert asked(script) == ["headers", "headers", "metadata", "metadata"]


@pytest.mark.parametrize(
    "answer",
    [
        ok("<ListBucketResult><Contents><UserMetadata><X-Amz-Meta-A!b>"),
        refused(400, "InvalidArgument"),
        refused(501, "NotImplemented"),
    ],
)
def test_a_page_that_cannot_be_read_is_asked_for_without(answer: Raw) -> None:
    script = other_server().on("ListObjects", answer, answer, listed(PLAIN), listed(PLAIN))
    for _ in range(2):
        assert len(pages(script)[0].objects) == 1
    assert asked(script) == ["headers", "metadata", "plain", "plain"]


@pytest.mark.parametrize(("service", "server"), [("s3", None), ("s3", ""), ("oss", None)])
def test_the_makers_of_protocols_are_not_asked(service: str, server: str | None) -> None:
    script = Script(service, server=server).on("ListObjects", listed(PLAIN))
    pages(script)
    assert asked(script) == ["plain"]


@pytest.mark.parametrize(
    ("extra", "has_detail"),
    [
        ("<UserMetadata><expires>Mon, 01 Jan 0001 00:00:00 GMT</expires></UserMetadata>", True),
        ("<UserMetadata><X-Amz-Server-Side-Encryption>aws:kms</X-Amz-Server-Side-Encryption>"
         "</UserMetadata>", False),
        ("<StorageClass>GLACIER</StorageClass><UserMetadata/>", False),
    ],
)  # fmt: skip
def test_where_a_head_would_say_more_it_is_made(extra: str, *, has_detail: bool) -> None:
    script = other_server().on("ListObjects", listed(FULL, extra))
    script.on("HeadObject", head()).on("GetObjectTagging", tag_set(a="b c"))
    [page] = pages(script)
    detail = page.objects[1].detail
    assert (detail is not None) is has_detail
    assert detail is None or detail.headers == {}
    assert page.tags["d/1"] == NO_TAGS


def test_tags_that_cannot_be_read_are_unknown() -> None:
    script = other_server().on("ListObjects", listed(FULL, f"<UserTags>a=%zz</UserTags>{INTERNAL}"))
    script.on("HeadObject", head()).on("GetObjectTagging", tag_set(a="b c"))
    assert pages(script)[0].tags == {"d/0": TagSet({"a": "b c"})}


def test_metadata_that_is_right_is_believed_and_headers_are_not_made_up() -> None:
    script = other_server().on("ListObjects", listed(PLAIN), listed(PLAIN, head=EXTENDED))
    script.on("ListObjects", listed(OWN, PLAIN, OWN, head=EXTENDED)).on("HeadObject", head())
    seen = [pages(script)[0].objects for _ in range(2)]
    assert [[info.listed_metadata for info in objects] for objects in seen] == [
        [None],  # nobody has any here, so that nothing is shown
        [{"mode": "33188"}, {}, {"mode": "33188"}],
    ]
    assert all(info.detail is None for objects in seen for info in objects)
    assert script.asked.count("HeadObject") == 1


@pytest.mark.parametrize(
    ("name", "text", "believed"),
    [
        ("Mode", "33188", {"mode": "33188"}),
        ("note", "", {"note": ""}),
        ("xattr", "%7B%22user.a%22%3A%22%2B%22%7D", {"xattr": "%7B%22user.a%22%3A%22%2B%22%7D"}),
        ("note", "grün", None),
        ("note", "=?UTF-8?Q?gr=C3=BCn?=", None),
        ("note", "a\nb", None),
    ],
)
def test_metadata_is_read_where_it_is_plain_text(
    name: str, text: str, believed: dict[str, str] | None
) -> None:
    extra = f"<Metadata><Name>{name}</Name><Value>{text}</Value></Metadata>"
    script = other_server().on("ListObjects", listed(PLAIN), listed(OWN, extra, head=EXTENDED))
    script.on("HeadObject", head())
    assert pages(script)[0].objects[1].listed_metadata == believed


@pytest.mark.parametrize(
    "answer", [head(x_amz_meta_other="x"), described(5), refused(403, "AccessDenied")]
)
def test_metadata_that_is_wrong_is_not_asked_for_again(answer: Raw) -> None:
    script = other_server().on("ListObjects", listed(PLAIN), listed(OWN, head=EXTENDED))
    script.on("HeadObject", answer).on("GetObjectTagging", tag_set(), tag_set())
    script.on("ListObjects", listed(PLAIN))
    assert [pages(script)[0].objects[0].listed_metadata for _ in range(2)] == [None] * 2
    assert asked(script) == ["headers", "metadata", "plain"]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (head(x_amz_tagging_count="1", x_amz_tagging="a=b+c"), True),
        (head(x_amz_tagging_count="1", x_amz_tagging="a=b%2Bc"), False),
        (head(x_amz_tagging_count="2", x_amz_tagging="a=b+c"), False),
        (head(x_amz_tagging_count="1"), False),
        (head(x_amz_tagging="a=b+c"), False),
        (refused(400, "InvalidArgument"), False),
        (refused(403, "AccessDenied"), False),
        (refused(404), None),
    ],
)
def test_heads_are_asked_for_tags_where_one_was_right(answer: Raw, *, right: bool | None) -> None:
    """The header is sent to a server that lists tags, once; after that only if it is heeded."""
    script = other_server(knows_heads=False).on("ListObjects", listed(FULL), listed(FULL))
    script.on("HeadObject", head(x_amz_tagging_count="1")).on("GetObjectTagging", tag_set(a="b c"))
    assert pages(script.on("HeadObject", answer))[0].tags == {"d/0": TagSet({"a": "b c"})}
    assert script.features.tags_in_heads is right
    demands = ["x-amz-tagging-directive" in one.headers for one in script.all_of("HeadObject")]
    assert demands == [False, True]
    script.on("HeadObject", answer if right else head(), head()).on("GetObject", described())
    assert len(pages(script)) == 1  # asked again where the object had gone
    script.parts.heads.head("d/0")
    assert ("x-amz-tagging-directive" in script.last.headers) == bool(right)
