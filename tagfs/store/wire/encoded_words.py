"""Text beyond ASCII in a header as RFC 2047 has it: `=?UTF-8?B?w6Q=?=`.

S3 keeps the text that such words stand for and answers with words; it takes other bytes for
Latin-1, so UTF-8 sent as it is comes back garbled. Servers that keep whatever they are sent give
the words back. Words of what no header could carry are left as they came, both ways. Text that
itself looks like a word comes back from these alone: S3 shows what is ASCII as it is, and nobody
can tell.
"""

import binascii
import re
from base64 import b64decode, b64encode

from tagfs.store.wire.percent_text import fits_header

_WORD = re.compile(r"=\?([A-Za-z0-9_-]+)(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([^? ]*)\?=")
_BETWEEN = re.compile(r"(?<=\?=)[ \t]+(?==\?)")


def encode_words(text: str) -> str:
    """Return `text` as ASCII; what is ASCII and holds no word stays as it is."""
    if text.isascii() and ("=?" not in text or decode_words(text) == text):
        return text
    return f"=?UTF-8?B?{b64encode(text.encode()).decode('ascii')}?="


def decode_words(text: str) -> str:
    """Return the text with its encoded words decoded; what is no such word stays as it is."""
    if "=?" not in text:
        return text
    decoded = _WORD.sub(_decode, _BETWEEN.sub("", text))
    return decoded if fits_header(decoded) else text


def _decode(word: re.Match[str]) -> str:
    charset, encoding, inner = word.groups()
    try:
        if encoding in "bB":
            data = b64decode(inner, validate=True)
        else:
            spaced = inner.replace("_", " ").encode("latin-1")
            data = re.sub(b"=([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), spaced)
        return data.decode(charset)
    except (binascii.Error, ValueError, LookupError):
        return word[0]
