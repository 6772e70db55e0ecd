"""RFC 2047: what goes into a header comes back, and what others wrote is read."""

import pytest
from hypothesis import given, strategies as st

from tagfs.store.wire.encoded_words import decode_words, encode_words


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    encoded = encode_words(text)
    assert encoded.isascii()
    assert decode_words(encoded) == text


@given(st.text())
def test_any_header_is_read(text: str) -> None:
    assert isinstance(decode_words(text), str)


@pytest.mark.parametrize("text", ["", "plain", "a=b?c", "33188"])
def test_ascii_stays_as_it_is(text: str) -> None:
    assert encode_words(text) == text


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
    ],
)
def test_words_are_decoded_and_nothing_else(word: str, text: str) -> None:
    assert decode_words(word) == text
