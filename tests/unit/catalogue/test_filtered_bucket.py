"""A bucket that shows what matches: what is asked for, and what is hidden."""

import os

import pytest

from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.filtered_bucket import FilteredBucket
from tagfs.errors import AccessDenied, NotFound, NotShown
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.unit.catalogue.mountkit import CatalogueKit

BLUE, RED = TagSet({"team": "blue"}), TagSet({"team": "red"})


@pytest.fixture
def kit():
    kit = CatalogueKit()
    yield kit
    kit.close()


def only(kit: CatalogueKit, text: str = "team=blue") -> FilteredBucket:
    return FilteredBucket(kit.cache, parse_expression(text), kit.catalogue)


def fill(kit: CatalogueKit) -> None:
    kit.foreign("d/", b"", tags=RED)
    kit.foreign("d/blue", tags=BLUE)
    kit.foreign("d/red", tags=RED)
    kit.foreign("d/plain")
    kit.foreign("d/e/deep", tags=RED)


def shown(bucket: FilteredBucket, prefix: str = "d/") -> list[str]:
    pages = list(bucket.scan(prefix))
    return [info.key for page in pages for info in page.objects] + [
        common for page in pages for common in page.prefixes
    ]


def index(kit: CatalogueKit) -> None:
    """Read everything, as `tagfs index` does."""
    assert kit.catalogue is not None
    began = kit.catalogue.begin_scan("")
    token: str | None = ""
    while token is not None:
        page = kit.inner.list("", delimiter="", token=token or None)
        for info in page.objects:
            kit.catalogue.saw(info)
            kit.catalogue.saw_tags(info.key, kit.inner.get_tags(info.key))
        token = page.token
    kit.catalogue.end_scan("", began)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("team=blue", ["d/", "d/blue", "d/e/"]),
        ("not team", ["d/", "d/plain", "d/e/"]),
        ("team", ["d/", "d/blue", "d/red", "d/e/"]),
    ],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_what_matches_is_there(
    kit: CatalogueKit, text: str, wanted: list[str], *, indexed: bool
) -> None:
    fill(kit)
    if indexed:
        index(kit)
    bucket = only(kit, text)
    assert shown(bucket) == wanted
    assert len(bucket.list("d/").objects) == 4, "what is hidden is in the way of a removal"
    for key in ("d/blue", "d/red", "d/plain"):
        there = key in wanted
        assert (bucket.lookup(key).info is not None) is there
        assert (key in bucket.head_many(["d/blue", "d/red", "d/plain"])) <= there
        assert bucket.known(key) is None or there or indexed
        if there:
            assert bucket.head(key).key == key
        else:
            with pytest.raises(NotFound):
                bucket.head(key)
    assert bucket.lookup("d").is_prefix
    assert bucket.head("d/").key == "d/"


@pytest.mark.parametrize(
    "count",
    [
        500,
        pytest.param(
            100_000,
            marks=pytest.mark.skipif(not os.environ.get("TAGFS_SLOW"), reason="TAGFS_SLOW"),
        ),
    ],
)
def test_only_what_is_shown_is_confirmed(kit: CatalogueKit, count: int) -> None:
    """One of a hundred matches: the requests are those of what matches, and of the listing."""
    for number in range(count):
        kit.foreign(f"d/{number:06}", tags=BLUE if number % 100 == 0 else RED)
    index(kit)
    kit.pass_time(1000)
    kit.remount()
    kit.inner.requests.clear()
    assert len(shown(only(kit))) == count // 100
    assert kit.inner.count() == -(-count // 1000) + count // 100


def test_what_changed_since_is_looked_at(kit: CatalogueKit) -> None:
    fill(kit)
    index(kit)
    kit.pass_time(1000)
    kit.foreign("d/red", b"new", tags=BLUE)
    kit.foreign("d/newer", tags=BLUE)
    kit.inner.put_tags("d/blue", RED)
    assert shown(only(kit)) == ["d/", "d/newer", "d/red", "d/e/"]


def test_without_an_index_tags_are_believed_for_tag_ttl(kit: CatalogueKit) -> None:
    fill(kit)
    bucket = only(kit)
    assert shown(bucket) == ["d/", "d/blue", "d/e/"]
    kit.inner.put_tags("d/red", BLUE)
    kit.pass_time(31)
    assert shown(bucket) == ["d/", "d/blue", "d/red", "d/e/"]


def test_what_may_not_be_read_has_no_tags(kit: CatalogueKit) -> None:
    fill(kit)

    def refuse(operation: str, key: str) -> None:
        if operation == "get_tags" and key == "d/blue":
            raise AccessDenied("no")

    kit.inner.before = refuse
    assert shown(only(kit)) == ["d/", "d/e/"]
    assert shown(only(kit, "not team")) == ["d/", "d/blue", "d/plain", "d/e/"]
    assert kit.cache.get_tags("d/plain") == NO_TAGS


def test_what_is_hidden_while_it_is_uploaded_is_not_replaced(kit: CatalogueKit) -> None:
    kit.foreign("d/blue", tags=BLUE)
    bucket = only(kit)
    upload = bucket.start_upload("d/blue", NewObject())
    part = bucket.upload_part(upload, 1, BytesSource(b"new"))
    kit.foreign("d/blue", b"theirs", tags=RED)
    kit.pass_time(2)
    with pytest.raises(NotShown):
        bucket.complete_upload(upload, [part])
    assert kit.inner.get("d/blue").data == b"theirs"


def test_nothing_is_annotated_or_opened_to_others_that_is_hidden(kit: CatalogueKit) -> None:
    kit.foreign("d/red", tags=RED)
    bucket = only(kit)
    for change in (
        lambda: bucket.put_annotation("d/red", "n", b"1"),
        lambda: bucket.delete_annotation("d/red", "n"),
        lambda: bucket.put_acl("d/red", "private"),
        lambda: bucket.restore("d/red", 1),
    ):
        kit.inner.requests.clear()
        with pytest.raises(NotFound):
            change()
        assert kit.inner.count() == kit.inner.count("get_tags")


def test_of_many_only_those_that_match_are_deleted(kit: CatalogueKit) -> None:
    fill(kit)
    failed = only(kit).delete_many(["d/", "d/blue", "d/red", "d/none"])
    assert failed == {"d/red": "its tags do not match"}
    assert [info.key for info in kit.inner.list("d/", delimiter="").objects] == [
        "d/e/deep",
        "d/plain",
        "d/red",
    ]
