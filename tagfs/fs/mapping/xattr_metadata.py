"""Other programs' `user.*` attributes, as one entry of an object's user metadata.

Pure. The form is that of s3fs, ossfs 1 and obsfs, so each reads what the others wrote: the entry
`xattr` is a JSON object of names (`user.` included) to values in base64, percent-encoded.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from tagfs.errors import MalformedResponse

XATTR_METADATA: Final = "xattr"
"""The name of the entry."""


def parse_xattrs(metadata: Mapping[str, str]) -> dict[str, bytes]:
    """Read the attributes that an object's user metadata holds, by their full names.

    Raises:
        MalformedResponse: the entry is none that those programs write, so it must stay as it is.
    """
    text = metadata.get(XATTR_METADATA, "")
    if not text:
        return {}
    try:
        read = json.loads(unquote(text, errors="strict"))
        "".join(read).encode()  # JSON can spell names that are not UTF-8
        return {name: b64decode(value, validate=True) for name, value in read.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedResponse(f"user metadata {XATTR_METADATA!r}: {text[:80]!r}") from error


def with_xattrs(metadata: Mapping[str, str], xattrs: Mapping[str, bytes]) -> dict[str, str]:
    """Return user metadata that holds these attributes, and no others; without any, no entry."""
    changed = {name: text for name, text in metadata.items() if name != XATTR_METADATA}
    if xattrs:
        values = {name: b64encode(value).decode("ascii") for name, value in xattrs.items()}
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        changed[XATTR_METADATA] = quote(text, safe="/")
    return changed
