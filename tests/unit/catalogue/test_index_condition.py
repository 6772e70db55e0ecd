"""What a service's index is asked for: always enough, and no more than it is documented to know."""

import json

import pytest
from hypothesis import given, strategies as st

from tagfs.catalogue.expression import And, Expression, Not, Or, Test, Word, parse_expression
from tagfs.catalogue.index_condition import narrow
from tagfs.store.tag_index import (
    ANYTHING,
    AllOf,
    AnyOf,
    Condition,
    HasTags,
    TagBegins,
    TagEquals,
)
from tagfs.store.wire.meta_query import render_query
from tagfs.store.wire.xml import parse_leaves

BLUE, RED = TagEquals("team", "blue"), TagEquals("team", "red")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("team=blue", BLUE),
        ('"team"="bl*"', TagEquals("team", "bl*")),
        ("team", HasTags()),
        ("team=", HasTags()),
        ("team=b*e", TagBegins("team", "b")),
        ("team=*e", HasTags()),
        ("team~^b", HasTags()),
        ("te*=blue", HasTags()),
        ("a.b=blue", HasTags()),
        ("team!=blue", ANYTHING),
        ("not team!=blue", BLUE),
        ("not not team=blue", BLUE),
        ("not *", ANYTHING),
        ("team=blue and not retention", BLUE),
        ("team=blue and team=red", AllOf((BLUE, RED))),
        ("team=blue or team=red", AnyOf((BLUE, RED))),
        ("team=blue or not team", ANYTHING),
        ("not (team!=blue or team!=red)", AllOf((BLUE, RED))),
        ("not (team!=blue and team!=red)", AnyOf((BLUE, RED))),
    ],
)
def test_what_an_index_is_asked_for(text: str, condition: Condition) -> None:
    assert narrow(parse_expression(text)) == condition


def holds(condition: Condition, tags: dict[str, str]) -> bool:
    match condition:
        case TagEquals(key, value):
            return tags.get(key) == value
        case TagBegins(key, start):
            return tags.get(key, "").startswith(start) and key in tags
        case HasTags():
            return bool(tags)
        case AllOf(parts):
            return all(holds(part, tags) for part in parts)
        case AnyOf(parts):
            return any(holds(part, tags) for part in parts)


words = st.builds(Word, st.sampled_from(["a", "b", "ab", "a*", "*", "?", "a.b"]), st.booleans())
regexes = st.builds(Word, st.sampled_from(["a", "^a", "b$"]))
tests = st.one_of(
    st.builds(Test, words),
    st.builds(Test, words, st.sampled_from(["=", "!="]), words),
    st.builds(Test, words, st.just("~"), regexes),
)
expressions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(Not, inner), st.builds(And, inner, inner), st.builds(Or, inner, inner)
    ),
    max_leaves=6,
)
tag_sets = st.dictionaries(
    st.sampled_from(["a", "b", "ab", "a.b"]), st.sampled_from(["", "a", "b", "ab", "a*"])
)


@given(expressions, tag_sets)
def test_nothing_that_matches_is_missed(wanted: Expression, tags: dict[str, str]) -> None:
    assert holds(narrow(wanted), tags) or not wanted.matches(tags)


@pytest.mark.parametrize(
    ("prefix", "condition", "query"),
    [
        ("", ANYTHING, {"Field": "Size", "Operation": "gte", "Value": "0"}),
        ("", HasTags(), {"Field": "OSSTaggingCount", "Operation": "gte", "Value": "1"}),
        ("d/", ANYTHING, {"Field": "Filename", "Operation": "prefix", "Value": "d/"}),
        (
            'd/"<&ä',
            AllOf((BLUE, AnyOf((RED, TagBegins("x", "y"))))),
            {
                "Operation": "and",
                "SubQueries": [
                    {"Field": "Filename", "Operation": "prefix", "Value": 'd/"<&ä'},
                    {"Field": "OSSTagging.team", "Operation": "eq", "Value": "blue"},
                    {
                        "Operation": "or",
                        "SubQueries": [
                            {"Field": "OSSTagging.team", "Operation": "eq", "Value": "red"},
                            {"Field": "OSSTagging.x", "Operation": "prefix", "Value": "y"},
                        ],
                    },
                ],
            },
        ),
    ],
)
def test_how_it_is_written(prefix: str, condition: Condition, query: object) -> None:
    fields = parse_leaves(render_query(prefix, condition, "to<ken"), "MetaQuery")
    assert json.loads(fields["Query"]) == query
    assert (fields["NextToken"], fields["MaxResults"]) == ("to<ken", "100")
    assert (fields["Sort"], fields["Order"]) == ("Filename", "asc")
