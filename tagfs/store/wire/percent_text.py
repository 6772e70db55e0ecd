"""Text beyond ASCII in a header, percent-encoded: `%C3%A4`, as the vendor's SDKs of OBS have it.

They decode whatever a service tells, so that a percent sign before two hexadecimal digits is
encoded as well. What would not fit in a header once decoded is left as it came, both ways.
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_ENCODED: Final = re.compile("%[0-9A-Fa-f]{2}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_SAFE: Final = "".join(c for c in map(chr, range(0x20, 0x7F)) if c != "%")


def fits_header(text: str) -> bool:
    """Tell whether a header can carry a text unchanged, were it ASCII."""
    return text == text.strip(" \t") and not _CONTROL.search(text)


def encode_percent(text: str) -> str:
    """Return `text` as ASCII; what is ASCII and would not be decoded stays as it is."""
    if text.isascii() and (not _ENCODED.search(text) or decode_percent(text) == text):
        return text
    return quote(text, safe=_SAFE)


def decode_percent(text: str) -> str:
    """Return the text that was encoded; what was not, or is no UTF-8, stays as it is."""
    if not _ENCODED.search(text):
        return text
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeError:
        return text
    return decoded if fits_header(decoded) else text
