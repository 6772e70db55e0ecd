"""Tags in XML, percent-encoded or not: they come back whether the service decodes or keeps them."""

from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from tagfs.errors import InvalidTag
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.tags import NO_TAGS, TagSet

TEXT = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=8)
PAIRS = st.dictionaries(TEXT, TEXT, max_size=4)


def decoding(sent):
    """Return what a service keeps that decodes what it gets."""
    return TagSet({unquote(k): unquote(v) for k, v in sent.items()})


def literal(sent):
    """Return what a service keeps that takes everything as it comes."""
    return sent


@given(PAIRS, st.sampled_from([decoding, literal]))
def test_auto_comes_back_from_both_kinds_of_service_or_is_refused(pairs, service):
    try:
        sent = TagEscape.AUTO.encode(pairs, NO_TAGS)
    except InvalidTag:
        assert any("%" in k + v for k, v in pairs.items())
        return
    assert TagEscape.AUTO.decode(service(sent)) == pairs


@given(PAIRS)
def test_off_sends_and_reads_text_as_it_is(pairs):
    assert TagEscape.OFF.encode(pairs, NO_TAGS) == pairs
    assert TagEscape.OFF.decode(TagSet(pairs)) == pairs


@given(PAIRS)
def test_on_encodes_everything_and_decodes_what_is_kept_so(pairs):
    sent = TagEscape.ON.encode(pairs, NO_TAGS)
    assert all((k + v).isascii() and " " not in k + v for k, v in sent.items())
    assert TagEscape.ON.decode(sent) == pairs


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("TagKey(Name1)", "TagKey%28Name1%29"),
        ("a b_c.d:e@f-1", "a b_c.d:e@f-1"),
        ("é", "%C3%A9"),
        ("100%", "100%25"),
        ("a+b", "a%2Bb"),
    ],
)
def test_auto_encodes_what_needs_it(text, sent):
    assert TagEscape.AUTO.encode({text: text}, NO_TAGS) == {sent: sent}
    assert TagEscape.AUTO.decode(TagSet({sent: sent})) == {text: text}


def test_what_could_be_read_as_something_else_is_not_written():
    with pytest.raises(InvalidTag, match="obs_tag_urlencode"):
        TagEscape.AUTO.encode({"k": "%41"}, NO_TAGS)
    assert TagEscape.ON.encode({"k": "%41"}, NO_TAGS) == {"k": "%2541"}


def test_an_edit_leaves_alone_what_others_wrote_in_another_way():
    """The vendor's SDKs send plain text; a service that keeps it must still have it after an edit
    of another tag."""
    came = TagSet({"(x)": "(y)", "z%28": "1", "p+q": "r"})
    present = TagEscape.AUTO.decode(came)
    assert present == {"(x)": "(y)", "z(": "1", "p+q": "r"}
    sent = TagEscape.AUTO.encode(present.with_tag("new", "(1)"), came)
    assert sent == {"(x)": "(y)", "z%28": "1", "p%2Bq": "r", "new": "%281%29"}
    changed = TagEscape.AUTO.encode(present.with_tag("(x)", "(2)"), came)
    assert changed["%28x%29"] == "%282%29"


@pytest.mark.parametrize("text", ["%", "%4", "%zz", "%ff", "a%"])
def test_text_that_is_not_encoded_is_read_as_it_is(text):
    assert TagEscape.AUTO.decode(TagSet({"k": text})) == {"k": text}


def test_two_keys_that_differ_only_in_writing_are_both_there():
    came = TagSet({"a(": "1", "a%28": "2"})
    assert TagEscape.AUTO.decode(came) == came
