"""Which bucket and key a request is for: by host name, or by path on addresses and plain names.

A host is the service itself if it is an address, has no dot, or begins with the service's own
label (`s3`, `s3-...`, `obs`, `obs-...`); otherwise what stands before such a label, before
`localhost`, or before the first dot is the bucket. The raw path is split before it is decoded.
"""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UGLY = re.compile(r"\.\.|\.-|-\.")
_KEY_LIMIT = 1024
_SERVICE = re.compile(r"(?:s3|obs)(?:-[a-z0-9-]+)?")


class Target(NamedTuple):
    """What a request is for; each is None where the request names none."""

    bucket: str | None
    key: str | None
    virtual: bool


@lru_cache(maxsize=1024)
def bucket_of_host(host: str) -> str | None:
    """Return the bucket that a host name begins with; None for the service itself."""
    name = (host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]).lower()
    if _is_address(name):
        return None
    labels = name.split(".")
    for at, label in enumerate(labels):
        if _SERVICE.fullmatch(label) or label == "localhost":
            return ".".join(labels[:at]) or None
    return labels[0] if len(labels) > 1 else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def split_target(host: str, path: str) -> Target:
    """Return bucket and key, and whether the host named the bucket."""
    bucket = bucket_of_host(host)
    rest = path.removeprefix("/")
    if bucket is not None:
        return Target(bucket, decode(rest) or None, virtual=True)
    name, _, rest = rest.partition("/")
    return Target(decode(name) or None, decode(rest) or None, virtual=False)


def decode(text: str) -> str:
    """Undo percent-encoding once; bytes that are not UTF-8 stay visible as surrogates."""
    return unquote(text, errors="surrogateescape") if "%" in text else text


@lru_cache(maxsize=1024)
def is_bucket_name(name: str) -> bool:
    """Tell whether a bucket may be called so."""
    return bool(_BUCKET.fullmatch(name)) and not _UGLY.search(name) and not _is_address(name)


def key_fits(key: str, *, in_characters: bool) -> bool:
    """Tell whether a key is no longer than 1024 characters or bytes."""
    size = len(key) if in_characters else len(key.encode("utf-8", "surrogateescape"))
    return 0 < size <= _KEY_LIMIT


def is_text(key: str) -> bool:
    """Tell whether a key is UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
