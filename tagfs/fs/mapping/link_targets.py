"""Symlinks: the text that readlink gives, and the key that a symlink object stores.

Pure. The stored target is the bucket key that the POSIX target resolves to, so that SDKs and
consoles can follow the link, and links made by them or by ossfs 2 read as links here. A text that
cannot be derived from the key (absolute, escaping the bucket, not normalised) is kept beside it in
the link's user metadata, in the form of ossfs 1 with `symlink_in_meta`:
`header:<bytes>:<percent-encoded text>`.
"""

import posixpath
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from tagfs.fs.mapping.paths import is_visible

METADATA_NAME: Final = "symlink-target"

UNRESOLVABLE: Final = ".tagfs-link-outside-the-bucket"
"""The stored target of a link that points to no key of the bucket; the metadata has the text."""

MAX_TARGET: Final = 1023
"""Bytes of the longest key that every service with symlink objects has; a longer text is none."""

MAX_STRICT: Final = 2048
"""Bytes of a text up to which its slashes are escaped, too. 4,095 that are all names of one letter
and slashes would fill the metadata of an object otherwise."""


def to_target(link_key: str, text: str) -> str:
    """Return the key that a link stores for a POSIX target `text`, or `UNRESOLVABLE`."""
    if text.startswith("/") or not _is_utf8(text):
        return UNRESOLVABLE
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(link_key), text))
    parts = resolved.split("/")
    if not all(is_visible(part) for part in parts) or len(resolved.encode()) > MAX_TARGET:
        return UNRESOLVABLE
    return resolved


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def derive_text(link_key: str, target: str) -> str:
    """Return the relative POSIX target of a link that stores the key `target`."""
    directory = posixpath.dirname(link_key)
    rest = target.rstrip("/")
    if not rest or rest.startswith("/") or not all(is_visible(part) for part in rest.split("/")):
        return target or "."
    text = posixpath.relpath("/" + rest, "/" + directory)
    return text + "/" * (len(target) - len(rest))


def render_text(text: str) -> str:
    """Write a link's text as metadata, as ossfs 1 does."""
    raw = text.encode("utf-8", "surrogateescape")
    return f"header:{len(raw)}:{quote(raw, safe='' if len(raw) <= MAX_STRICT else '/')}"


def parse_text(value: str) -> str | None:
    """Read what `render_text` writes; None if it is something else."""
    where, _, rest = value.partition(":")
    length, colon, quoted = rest.partition(":")
    if where != "header" or not colon or not length.isdigit():
        return None
    return unquote_to_bytes(quoted).decode("utf-8", "surrogateescape")


def link_metadata(link_key: str, text: str) -> dict[str, str]:
    """Return the metadata that a link needs besides its target: none if the key tells the text."""
    target = to_target(link_key, text)
    if target != UNRESOLVABLE and derive_text(link_key, target) == text:
        return {}
    return {METADATA_NAME: render_text(text)}


def read_text(link_key: str, target: str, metadata: Mapping[str, str]) -> str:
    """Return what readlink gives: the text kept beside the key, else the one derived from it.

    A text counts only while it still leads to the stored target: a link that was moved, or
    set anew by an SDK, tells its target by its key.
    """
    text = parse_text(metadata.get(METADATA_NAME, ""))
    if text is not None and to_target(link_key, text) == target:
        return text
    return derive_text(link_key, target)
