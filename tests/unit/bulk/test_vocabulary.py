"""What rename, merge and import make of tags and tables."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, strategies as st

from tagfs.bulk.csv_tags import Columns, parse_columns
from tagfs.bulk.getfattr_format import Block
from tagfs.bulk.vocabulary import merging, parse_renaming, renaming
from tagfs.errors import SettingsError, TagExists
from tagfs.store.tags import TagSet

WORDS = st.sampled_from(["a", "b", "c", ""])
TAG_SETS = st.dictionaries(st.sampled_from(["a", "b", "c"]), WORDS).map(TagSet)


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("Team", "team", {"Team": "blue", "x": "1"}, {"x": "1", "team": "blue"}),
        ("Team", "team", {"Team": "blue", "team": "blue"}, {"team": "blue"}),
        ("Team", "team", {"x": "1"}, {"x": "1"}),
        ("team", "team", {"team": "1"}, {"team": "1"}),
        ("team=blue", "navy", {"team": "blue"}, {"team": "navy"}),
        ("team=blue", "navy", {"team": "red"}, {"team": "red"}),
        ("team=", "none", {"team": ""}, {"team": "none"}),
        ("team=blue", "squad=navy", {"team": "blue"}, {"squad": "navy"}),
        ("k=a=b", "k=c=d", {"k": "a=b"}, {"k": "c=d"}),
    ],
)
def test_renaming(old: str, new: str, before: dict[str, str], after: dict[str, str]) -> None:
    assert renaming(parse_renaming(old, new)).change(TagSet(before)) == after


def test_a_renaming_loses_no_value() -> None:
    with pytest.raises(TagExists, match="squad=x already"):
        renaming(parse_renaming("team", "squad")).change(TagSet({"team": "b", "squad": "x"}))


@pytest.mark.parametrize(("old", "new"), [("", "a"), ("=v", "a"), ("a", ""), ("a", "b=c")])
def test_words_that_say_no_renaming(old: str, new: str) -> None:
    with pytest.raises(SettingsError):
        parse_renaming(old, new)


@given(TAG_SETS)
def test_merging_keeps_a_value_of_each_and_all_others(present: TagSet) -> None:
    try:
        merged = merging(("a", "b"), "c", force=False).change(present)
    except TagExists:
        assert len({present[k] for k in present}) > 1
        merged = merging(("a", "b"), "c", force=True).change(present)
        assert merged["c"] == present.get("c", present.get("a", present.get("b")))
    assert set(merged) == ({"c"} if present else set())
    assert set(merged.values()) <= set(present.values())


def test_merging_leaves_alone_what_has_none_of_them() -> None:
    for tags in ({"x": "1"}, {"c": "1"}):
        assert merging(("a", "b"), "c", force=False).change(TagSet(tags)) == tags


TABLE = """\ufeffbucket,key,tag:team,tag:cost
photos,2024/a.jpg,blue,
photos,"with ""quotes"", and\nlines",,42

photos,plain+name,x,y
"""


def lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


def test_a_table() -> None:
    blocks = list(Columns().read(lines(TABLE)))
    assert [(block.path, dict(block.tags), block.line) for block in blocks] == [
        ("2024/a.jpg", {"team": "blue"}, 2),
        ('with "quotes", and\nlines', {"cost": "42"}, 4),
        ("plain+name", {"team": "x", "cost": "y"}, 6),
    ]


def test_columns_that_are_chosen() -> None:
    table = Columns("k", parse_columns(["owner=team", "cost"]), encoded=True)
    [block] = table.read(lines("owner,k,cost,tag:no\nblue,a%2Fb+c,,x\n"))
    assert (block.path, dict(block.tags)) == ("a/b c", {"team": "blue"})


@pytest.mark.parametrize(("row", "problem"), [("k,1,2", "3 columns, not 2"), (",1", "no key")])
def test_a_bad_row_is_named(row: str, problem: str) -> None:
    [block, good] = Columns().read(lines(f"key,tag:a\n{row}\nk,1\n"))
    assert (block.problem, block.line) == (problem, 2)
    assert not good.problem


BAD_TABLES: dict[str, Callable[[], Iterator[Block]]] = {
    "empty": lambda: Columns().read([]),
    "no key": lambda: Columns().read(lines("name,tag:a\n")),
    "two keys": lambda: Columns().read(lines("key,key,tag:a\n")),
    "no tags": lambda: Columns().read(lines("key,size\n")),
    "no such column": lambda: Columns(tags={"x": "y"}).read(lines("key,size\n")),
    "a column twice": lambda: Columns().read(lines("key,tag:a,tag:a\n")),
    "two words for one": lambda: Columns().read(lines("key,tag:a,tag.a\n")),
    "one tag twice": lambda: Columns(tags={"a": "t", "b": "t"}).read(lines("key,a,b\n")),
    "not UTF-8": lambda: Columns().read([b"key,tag:a\n", b"\xff,1\n"]),
    "open quote": lambda: Columns().read(lines('key,tag:a\n"k,1\n')),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_what_is_no_table(case: str) -> None:
    with pytest.raises(SettingsError):
        list(BAD_TABLES[case]())


@pytest.mark.parametrize("words", [["a", "a=b"], ["=x"], [""]])
def test_columns_that_say_nothing(words: list[str]) -> None:
    with pytest.raises(SettingsError):
        parse_columns(words)
