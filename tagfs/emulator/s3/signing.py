"""What clients of the family sign, as pure functions of a request: V2 (and its OBS form) and V4.

V2 and the OBS form differ in nothing but the prefix of the headers that they sign. V4 is the one of
AWS with its chunks; the vendors' vectors are in tests/emulator/obs_signing and s3_signing.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

_UNRESERVED = "-_.~"
_EMPTY = hashlib.sha256(b"").hexdigest()
_BLANKS = re.compile(" +")

Pairs = Iterable[tuple[str, str]]


def folded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their names in lower case and repeated ones joined."""
    result: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        result[lower] = f"{result[lower]},{value.strip()}" if lower in result else value.strip()
    return result


def encode_path(path: str) -> str:
    """Percent-encode a decoded path, slashes apart."""
    return quote(path, safe="/" + _UNRESERVED, errors="surrogateescape")


def path_spellings(path: str) -> Iterator[str]:
    """Yield a raw path as it came, then in the one canonical way, which clients may have signed."""
    yield path
    canonical = encode_path(unquote(path, errors="surrogateescape"))
    if canonical != path:
        yield canonical


def v2_subresources(query: Pairs, signed: frozenset[str], prefix: str) -> str:
    """Return the part of the query that V2 signs, values decoded."""
    pairs = sorted(
        (name, value)
        for name, value in query
        if name.lower() in signed or name.lower().startswith(prefix)
    )
    if not pairs:
        return ""
    return "?" + "&".join(f"{name}={value}" if value else name for name, value in pairs)


def v2_resources(bucket: str | None, path: str, *, virtual: bool) -> Iterator[str]:
    """Yield the paths that V2 may have signed; a bucket may go with or without its slash."""
    for spelling in path_spellings(path):
        whole = f"/{bucket}{spelling}" if virtual else spelling
        yield whole
        if whole.count("/") == 1 and len(whole) > 1:
            yield whole + "/"
        elif whole.count("/") == 2 and whole.endswith("/"):  # noqa: PLR2004 - /bucket/
            yield whole[:-1]


def v2_string(method: str, headers: Mapping[str, str], date: str, prefix: str, where: str) -> bytes:
    """Return the string that V2 signs; `headers` are folded, `where` is the whole resource."""
    block = "".join(
        f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith(prefix)
    )
    first = (method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return ("\n".join(first) + "\n" + block + where).encode("utf-8", "surrogateescape")


def v2_signature(secret: str, string: bytes) -> str:
    """Sign as V2 does."""
    return base64.b64encode(hmac.digest(secret.encode(), string, "sha1")).decode("ascii")


class V4Claim(NamedTuple):
    """A V4 signature with what it says about itself."""

    access_key_id: str
    scope: str
    signed: tuple[str, ...]
    signature: str
    moment: str
    payload: str


def v4_canonical_requests(
    method: str, path: str, query: Pairs, headers: Mapping[str, str], claim: V4Claim
) -> Iterator[str]:
    """Yield the canonical requests that a client may mean; `headers` are folded."""
    pairs = sorted((_encode(name), _encode(value)) for name, value in query)
    line = "&".join(f"{name}={value}" for name, value in pairs)
    plain = [(name, headers.get(name, "")) for name in claim.signed]
    blocks = ["".join(f"{name}:{_BLANKS.sub(' ', value)}\n" for name, value in plain)]
    exact = "".join(f"{name}:{value}\n" for name, value in plain)
    if exact not in blocks:
        blocks.append(exact)
    for spelling in path_spellings(path or "/"):
        for block in blocks:
            yield "\n".join((method, spelling, line, block, ";".join(claim.signed), claim.payload))


def v4_string(moment: str, scope: str, canonical_request: str) -> str:
    """Return the string that V4 signs."""
    digest = hashlib.sha256(canonical_request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"


def v4_signature(secret: str, scope: str, string: str) -> str:
    """Sign as V4 does."""
    return hmac.digest(_v4_key(secret, scope), string.encode(), "sha256").hex()


@lru_cache(maxsize=64)
def _v4_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


class ChunkChain:
    """The signatures of a body's chunks, each of which signs the one before it."""

    def __init__(self, secret: str, claim: V4Claim) -> None:
        self._secret = secret
        self._claim = claim
        self._previous = claim.signature

    def accepts_chunk(self, signature: str, digest: str) -> bool:
        """Tell whether a chunk with this SHA-256 is signed so, and remember that it came."""
        return self._accepts("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}", signature)

    def accepts_trailer(self, signature: str, lines: bytes) -> bool:
        """Tell whether the trailing headers are signed so."""
        digest = hashlib.sha256(lines).hexdigest()
        return self._accepts("AWS4-HMAC-SHA256-TRAILER", digest, signature)

    def _accepts(self, kind: str, rest: str, signature: str) -> bool:
        scope = self._claim.scope
        string = f"{kind}\n{self._claim.moment}\n{scope}\n{self._previous}\n{rest}"
        self._previous = v4_signature(self._secret, scope, string)
        return hmac.compare_digest(self._previous.encode(), signature.encode())


def _encode(text: str) -> str:
    return quote(text, safe=_UNRESERVED, errors="surrogateescape")
