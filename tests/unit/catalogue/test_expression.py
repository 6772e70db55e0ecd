"""The language of `tagfs tag find`."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from tagfs.catalogue.expression import And, Expression, Not, Or, Test, Word, parse_expression
from tagfs.errors import SettingsError

TAGS = {"team": "blue", "cost-centre": "42", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("team", True),
        ("retention", False),
        ("team=blue", True),
        ("team=red", False),
        ("team!=red", True),
        ("team!=blue", False),
        ("retention!=7y", True),
        ("team=bl*", True),
        ("team=*lu", False),
        ("team=bl?e", True),
        ('team="bl*"', False),
        ("cost-*", True),
        ("*=42", True),
        ("not *", False),
        ("team~^b", True),
        ("team~lu", True),
        ("team~^lu", False),
        ("team~'^(blue|red)$'", True),
        ("empty", True),
        ("empty=", True),
        ("team=", False),
        ("team=blue and not retention", True),
        ("team=red or team=blue and cost-centre=42", True),
        ("(team=red or team=blue) and cost-centre=43", False),
        ("not team=red and not team=green", True),
        ("not (team=blue or retention)", False),
        ("not not team", True),
        ("TEAM", False),
        ("team=blue AND NOT retention", True),
        ("\"team\"='blue'", True),
        ("  team=blue  ", True),
    ],
)
def test_matches(text: str, expected: object) -> None:
    assert parse_expression(text).matches(TAGS) is expected


def test_odd_words() -> None:
    tags = {"and": "or", "a b": 'x "y" \\', "k=v": "1", "部门": "市场", "[x]": "[y]"}
    for text in (
        '"and"=or',
        'and~"" or "and"',
        '"a b"="x \\"y\\" \\\\"',
        '"k=v"=1',
        "部门=市场",
        "部门=市*",
        "[x]=[y]",
        "[*=[?]",
    ):
        assert parse_expression(text).matches(tags), text


@pytest.mark.parametrize(
    "text",
    ["", "  ", "and", "team and", "(team", "team)", "a b", "not", "=x", '""=x', "a~(", '"a', "()"],
)
def test_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_expression(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(SettingsError):
        parse_expression("(" * 10_000 + "a" + ")" * 10_000)
    parse_expression(" and ".join(["a"] * 300))


words = st.text(min_size=1, max_size=4).map(lambda text: Word(text, quoted=True))
bare = st.text("abAB*?-.:/+", min_size=1, max_size=4).map(Word)
simple = st.one_of(
    st.builds(Test, words),
    st.builds(Test, words | bare, st.sampled_from(["=", "!="]), words | bare),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    simple,
    lambda inner: (
        st.builds(Not, inner) | st.builds(And, inner, inner) | st.builds(Or, inner, inner)
    ),
    max_leaves=8,
)
tag_sets = st.dictionaries(st.text("abAB", max_size=2), st.text("abAB", max_size=2), max_size=3)


@given(expressions)
def test_what_is_written_is_read_again(expression: Expression) -> None:
    assert parse_expression(str(expression)) == expression


@given(expressions, expressions, tag_sets)
def test_logic(one: Expression, two: Expression, tags: dict[str, str]) -> None:
    def value(text: str) -> Any:
        return parse_expression(text).matches(tags)

    a, b = one.matches(tags), two.matches(tags)
    assert value(f"not ({one})") == (not a)
    assert value(f"({one}) and ({two})") == (a and b)
    assert value(f"({one}) or ({two})") == (a or b)
    assert value(f"not (({one}) and ({two}))") == value(f"not ({one}) or not ({two})")


def test_a_value_may_begin_with_an_equals_sign() -> None:
    assert parse_expression('team="=blue"').matches({"team": "=blue"})


@pytest.mark.parametrize("text", ["team = blue", "team != blue", "a and b ~ c"])
def test_blanks_around_an_operator_are_explained(text: str) -> None:
    with pytest.raises(SettingsError, match="write KEY=VALUE without blanks"):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("team==blue", "write team=blue "),
        ("team=~b", "write team~b "),
        ("team~=b", "write team~b "),
        ("team!==blue", "write team!=blue "),
        ("team!~b", "write not KEY~REGEX"),
        ("a and team==blue", "write team=blue "),
        ("a && b", "write and for &&"),
        ("a || b", "write or for ||"),
        ("!team", "write not team"),
        ("!team=blue", "write not team"),
    ],
)
def test_what_other_languages_write_is_explained(text: str, right: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_expression(text)
    assert right in str(caught.value)


@pytest.mark.parametrize("text", ['team="=blue"', "team='~b'", 'team~"=b"', '"&&"', "team=a=b"])
def test_in_quotes_it_is_what_it_says(text: str) -> None:
    parse_expression(text)
