"""Which bucket and key a request is for: path style on addresses and localhost, else by host name.

The raw path is split before it is decoded, and decoded once: oss2 sends the slashes of a key as
`%2F`, and keys may hold `//` and `..`.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import unquote

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_KEY_LIMIT = 1023


@lru_cache(maxsize=1024)
def bucket_of_host(host: str) -> str | None:
    """Return the bucket that a host name begins with; None for the service itself."""
    name = host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]
    if name == "localhost" or _is_address(name):
        return None
    bucket, dot, _ = name.partition(".")
    return bucket if dot and not bucket.startswith("oss-") else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def split_target(host: str, path: str) -> tuple[str | None, str | None]:
    """Return bucket and key, each None where the request names none."""
    bucket = bucket_of_host(host)
    rest = path.removeprefix("/")
    if bucket is None:
        name, _, rest = rest.partition("/")
        bucket = decode(name) or None
    return bucket, decode(rest) or None


def decode(text: str) -> str:
    """Undo percent-encoding once; bytes that are not UTF-8 stay visible as surrogates."""
    return unquote(text, errors="surrogateescape") if "%" in text else text


def is_bucket_name(name: str) -> bool:
    """Tell whether a bucket may be called so."""
    return _BUCKET.fullmatch(name) is not None


def is_key(key: str) -> bool:
    """Tell whether an object may be called so: 1 to 1023 bytes of UTF-8, no slash in front."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= _KEY_LIMIT and key[0] not in "/\\"
