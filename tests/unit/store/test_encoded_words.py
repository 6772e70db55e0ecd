"""RFC 2047: what goes into a header comes back, and what others wrote is read."""

import pytest
from hypothesis import given, strategies as st

from tagfs.store.wire.encoded_words import decode_words, encode_words
from tagfs.store.wire.percent_text import decode_percent, encode_percent, fits_header

FORMS = {"words": (encode_words, decode_words), "percent": (encode_percent, decode_percent)}
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.text("%=?ABC0dä ")


@pytest.mark.parametrize("form", FORMS)
@given(text=ANY)
def test_any_text_that_fits_comes_back(form: str, text: str) -> None:
    encode, decode = FORMS[form]
    if fits_header(text):
        assert encode(text).isascii()
        assert decode(encode(text)) == text


@pytest.mark.parametrize("form", FORMS)
@given(text=ANY.filter(str.isascii))
def test_what_others_wrote_can_be_written_back(form: str, text: str) -> None:
    """As the same text, whatever it is: a rewrite must neither fail nor change it."""
    encode, decode = FORMS[form]
    if fits_header(text):
        assert fits_header(decode(text))
        assert decode(encode(decode(text))) == decode(text)


@pytest.mark.parametrize("form", FORMS)
@given(text=st.text())
def test_any_header_is_read(form: str, text: str) -> None:
    assert isinstance(FORMS[form][1](text), str)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ["", "plain", "a=b?c", "33188", "100%", "50 % off"])
def test_ascii_stays_as_it_is(form: str, text: str) -> None:
    assert FORMS[form][0](text) == text


@pytest.mark.parametrize(
    ("reported", "text"),
    [
        ("%C3%A4", "ä"),
        ("a%20b%2Fc", "a b/c"),
        ("%25C3", "%C3"),
        ("%FF", "%FF"),
        ("%0A", "%0A"),
        ("a%20", "a%20"),
        ("ä%41", "äA"),
        ("50%", "50%"),
    ],
)
def test_percent_is_decoded_where_it_makes_sense(reported: str, text: str) -> None:
    assert decode_percent(reported) == text


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("=?UTF-8?B?w4Q=?=", "Ä"),
        ("=?utf-8?b?w4Q=?=", "Ä"),
        ("=?UTF-8?Q?gr=C3=BCn_und_blau?=", "grün und blau"),
        ("=?ISO-8859-1?Q?gr=FCn?=", "grün"),
        ("=?UTF-8?B?w4Q=?= =?UTF-8?B?w5Y=?=", "ÄÖ"),
        ("a =?UTF-8?B?w4Q=?= b", "a Ä b"),
        ("=?UTF-8*de?B?w4Q=?=", "Ä"),
        ("=?UTF-8?B?w4?=", "=?UTF-8?B?w4?="),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("=?no-such?B?w4Q=?=", "=?no-such?B?w4Q=?="),
        ("=?UTF-8?X?w4Q=?=", "=?UTF-8?X?w4Q=?="),
        ("=?", "=?"),
        # A line feed, and a blank at the edge: no header could carry the text back.
        ("=?UTF-8?B?YQpi?=", "=?UTF-8?B?YQpi?="),
        ("=?UTF-8?B?IGE=?=", "=?UTF-8?B?IGE=?="),
    ],
)
def test_words_are_decoded_and_nothing_else(word: str, text: str) -> None:
    assert decode_words(word) == text
