"""Which bucket and key a request is for: by host name, or by path on addresses and plain names.

A host is the service itself if it is an address, has no dot, or begins with one of the service's
own labels (`s3`, `oss-cn-hangzhou`, ...); otherwise what stands before such a label (the last, for
buckets may be called so), before `localhost`, or before the first dot is the bucket. The raw path
is split before it is decoded, and decoded once: SDKs send the slashes of a key as `%2F`, and keys
may hold `//` and `..`.
"""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UGLY = re.compile(r"\.\.|\.-|-\.")


class Target(NamedTuple):
    """What a request is for; each is None where the request names none."""

    bucket: str | None
    key: str | None
    virtual: bool


@lru_cache(maxsize=1024)
def bucket_of_host(host: str, labels: re.Pattern[str]) -> str | None:
    """Return the bucket that a host name begins with; None for the service itself."""
    name = (host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]).lower()
    if _is_address(name):
        return None
    words = name.split(".")
    ends = [at for at, word in enumerate(words) if labels.fullmatch(word)]
    ends = ends or [at for at, word in enumerate(words) if word == "localhost"]
    if ends:
        return ".".join(words[: ends[-1]]) or None
    return words[0] if len(words) > 1 else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def split_target(host: str, path: str, labels: re.Pattern[str]) -> Target:
    """Return bucket and key, and whether the host named the bucket."""
    bucket = bucket_of_host(host, labels)
    rest = path.removeprefix("/")
    if bucket is not None:
        return Target(bucket, decode(rest) or None, virtual=True)
    name, _, rest = rest.partition("/")
    return Target(decode(name) or None, decode(rest) or None, virtual=False)


def decode(text: str) -> str:
    """Undo percent-encoding once; bytes that are not UTF-8 stay visible as surrogates."""
    return unquote(text, errors="surrogateescape") if "%" in text else text


@lru_cache(maxsize=1024)
def is_bucket_name(name: str, *, dots: bool) -> bool:
    """Tell whether a bucket may be called so."""
    if "." in name and (not dots or _is_address(name)):
        return False
    return _BUCKET.fullmatch(name) is not None and not _UGLY.search(name)


def is_text(key: str) -> bool:
    """Tell whether a key is UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
