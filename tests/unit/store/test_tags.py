"""Tag sets: a set written and read again is the same; rules name what they refuse."""

import pytest
from hypothesis import given, strategies as st

from tagfs.errors import InvalidTag, TagKeyTooLong, TagValueTooLong, TooManyTags
from tagfs.store.dialects.oss import OSS
from tagfs.store.tags import NO_TAGS, TagRules, TagSet, parse_tagging, render_tagging

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PAIRS = st.dictionaries(TEXT, TEXT, max_size=12)
OBJECT = OSS.object_tag_rules
BUCKET = OSS.bucket_tag_rules


@given(PAIRS)
def test_a_set_is_the_mapping_that_made_it(pairs):
    tags = TagSet(pairs)
    assert dict(tags) == pairs
    assert tags == pairs
    assert len(tags) == len(pairs)
    assert list(tags) == list(pairs)


@given(PAIRS)
def test_equality_and_hash_ignore_the_order(pairs):
    turned = TagSet(dict(reversed(pairs.items())))
    assert turned == TagSet(pairs)
    assert hash(turned) == hash(TagSet(pairs))


@given(PAIRS, TEXT, TEXT)
def test_changing_a_set_returns_another(pairs, key, value):
    tags = TagSet(pairs)
    changed = tags.with_tag(key, value)
    assert dict(changed) == {**pairs, key: value}
    assert dict(changed.without_tag(key)) == {k: v for k, v in pairs.items() if k != key}
    assert dict(tags) == pairs


def test_a_set_does_not_follow_the_mapping_that_made_it():
    pairs = {"a": "1"}
    tags = TagSet(pairs)
    pairs["b"] = "2"
    assert tags == {"a": "1"}


def test_a_set_equals_no_other_thing_and_shows_its_pairs():
    assert TagSet({"a": "1"}) != [("a", "1")]
    assert repr(TagSet({"a": "1"})) == "TagSet({'a': '1'})"
    assert not NO_TAGS


@given(PAIRS)
def test_what_is_rendered_parses_to_the_same(pairs):
    pairs.pop("", None)
    text = render_tagging(pairs)
    assert text.isascii()
    assert "+" not in text
    assert parse_tagging(text) == pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("k", {"k": ""}),
        ("k=", {"k": ""}),
        ("k=v&k2=v2", {"k": "v", "k2": "v2"}),
        ("a%20b=%2B%C3%BC", {"a b": "+ü"}),
        ("a+b=1", {"a+b": "1"}),
    ],
)
def test_parse(text, pairs):
    assert parse_tagging(text) == pairs


@pytest.mark.parametrize("text", ["a=b=c", "a=1&a=2", "%zz=1", "%=1", "k=%ff", "%61=1&a=2"])
def test_parse_refuses(text):
    with pytest.raises(InvalidTag):
        parse_tagging(text)


@pytest.mark.parametrize(
    ("rules", "tags", "error"),
    [
        (OBJECT, {f"k{n}": "" for n in range(11)}, TooManyTags),
        (BUCKET, {f"k{n}": "" for n in range(21)}, TooManyTags),
        (OBJECT, {"k" * 129: ""}, TagKeyTooLong),
        (OBJECT, {"k": "v" * 257}, TagValueTooLong),
        (BUCKET, {"é" * 33: ""}, TagKeyTooLong),
        (BUCKET, {"k": "é" * 65}, TagValueTooLong),
        (OBJECT, {"": "v"}, InvalidTag),
        (OBJECT, {"a%b": "v"}, InvalidTag),
        (OBJECT, {"a": "v&w"}, InvalidTag),
        (OBJECT, {"a\n": "v"}, InvalidTag),
        (BUCKET, {"a": "\x00"}, InvalidTag),
        (BUCKET, {"a": "\ud800"}, InvalidTag),
        (BUCKET, {"Aliyun-x": ""}, InvalidTag),
        (BUCKET, {"acs:x": ""}, InvalidTag),
        (BUCKET, {"HTTP://x": ""}, InvalidTag),
    ],
)
def test_rules_refuse(rules, tags, error):
    with pytest.raises(error) as caught:
        rules.check(tags)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("rules", "tags"),
    [
        (OBJECT, {f"k{n}": "" for n in range(10)}),
        (OBJECT, {"k" * 128: "v" * 256}),
        (OBJECT, {"é" * 128: "中" * 256}),
        (OBJECT, {" +-=._:/a1": " "}),
        (BUCKET, {f"k{n}": "" for n in range(20)}),
        (BUCKET, {"%@&?": "++123%"}),
        (BUCKET, {"é" * 32: "é" * 64}),
    ],
)
def test_rules_accept(rules, tags):
    rules.check(tags)


def test_forbidden_characters_are_refused_where_all_others_are_allowed():
    rules = TagRules(kind="object", max_tags=1, max_key=9, max_value=9, forbidden=",|")
    rules.check({"a%&": "?"})
    with pytest.raises(InvalidTag):
        rules.check({"a|b": ""})


@given(PAIRS)
def test_rules_raise_nothing_but_our_errors(pairs):
    for rules in (OBJECT, BUCKET):
        try:
            rules.check(pairs)
        except InvalidTag:
            continue
        assert len(pairs) <= rules.max_tags


DEFAULTS = {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("own", "written"),
    [
        ({}, {"a": "1", "b": "2"}),
        ({"a": "9"}, {"a": "9", "b": "2"}),
        ({"c": "3"}, {"a": "1", "b": "2", "c": "3"}),
        ({"c": "3", "d": "4", "e": "5"}, {"a": "1", "c": "3", "d": "4", "e": "5"}),
        (dict.fromkeys("cdef", "x"), dict.fromkeys("cdef", "x")),
        (dict.fromkeys("cdefg", "x"), dict.fromkeys("cdefg", "x")),
    ],
)
def test_defaults_fill_the_room_that_own_tags_leave(
    own: dict[str, str], written: dict[str, str]
) -> None:
    """Of four at most; a set of its own is never cut."""
    assert TagSet(own).with_defaults(DEFAULTS, 4) == written


def test_chosen_tags_are_those_beyond_the_defaults() -> None:
    assert TagSet({"a": "1", "b": "9", "c": "3"}).beyond(DEFAULTS) == {"b": "9", "c": "3"}


NARROW = TagRules(
    kind="object",
    max_tags=1,
    max_key=3,
    max_value=3,
    edge_blanks=False,
    symbols="+",
    forbidden="|",
    reserved_prefixes=("x:",),
)


@pytest.mark.parametrize(
    ("reported", "another"),
    [
        ({"a": "&"}, {"b&": ""}),
        ({"a|": ""}, {"b": "|"}),
        ({"a": "\t"}, {"b": "\t"}),
        ({"a": " "}, {"b": " c"}),
        ({"long": ""}, {"more": ""}),
        ({"a": "long"}, {"b": "more"}),
        ({"a": "", "b": ""}, {"c": "", "d": ""}),
        ({"x:a": "1"}, {"x:a": "2"}),
    ],
)
def test_what_a_service_has_shown_is_allowed(
    reported: dict[str, str], another: dict[str, str]
) -> None:
    """... and what is like it: who has it in one object may copy it to another."""
    for refused in (reported, another):
        with pytest.raises(InvalidTag):
            NARROW.check(refused)
    rules = NARROW.allowing(reported)
    rules.check(reported)
    rules.check(another)
    with pytest.raises(InvalidTag):
        rules.check({"?": ""})
    with pytest.raises(InvalidTag):
        rules.check({"x:": ""})


@given(PAIRS)
def test_what_is_allowed_already_changes_no_rules(pairs: dict[str, str]) -> None:
    rules = NARROW.allowing(pairs)
    assert rules.allowing({key: text for key, text in pairs.items() if key}) == rules
