"""Metadata beyond ASCII as S3 keeps it: RFC 2047 on the way in and out, Latin-1 otherwise.

"Working with object metadata" of the S3 manual has the example that the tests repeat.
"""

import base64
from email.errors import HeaderParseError
from email.header import decode_header, make_header


def stored_text(value: str) -> str:
    """Return a header's value as S3 keeps it: its bytes are Latin-1, encoded words are decoded."""
    text = value.encode("utf-8", "surrogateescape").decode("latin-1")
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def shown_text(text: str) -> str:
    """Return what S3 shows of what it keeps."""
    if text.isascii():
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode('ascii')}?="
