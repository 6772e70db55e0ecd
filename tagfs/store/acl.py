"""Access control lists as values: what a rewrite must send for an object to keep its own.

Pure. An `Acl` maps the names of headers, without the service's prefix, to their values, or holds
the whole document under `DOCUMENT` where no headers say the same. An empty one is what an object
has unless one is set.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tagfs.errors import MalformedResponse
from tagfs.store.objects import NOTHING

Acl = Mapping[str, str]

DEFAULT_ACL: Final[Acl] = NOTHING
DOCUMENT: Final = "document"
WORD: Final = "acl"

_EVERYONE = {("URI", "http://acs.amazonaws.com/groups/global/AllUsers"), ("Canned", "Everyone")}
_SIGNED_IN = ("URI", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers")
_HEADERS = {
    "READ": "grant-read",
    "READ_ACP": "grant-read-acp",
    "WRITE_ACP": "grant-write-acp",
    "FULL_CONTROL": "grant-full-control",
}  # no object takes WRITE in a header of its own
_GRANTEES = {"ID": "id", "URI": "uri"}


class Grant(NamedTuple):
    """One grant; `kind` is the element that names the grantee: ID, URI or Canned."""

    kind: str
    who: str
    permission: str


class Policy(NamedTuple):
    """What a service says of an object's ACL: OSS one word, the others grants."""

    owner: str
    grants: tuple[Grant, ...]
    words: tuple[str, ...] = ()


def acl_of(policy: Policy, body: bytes) -> Acl:
    """Return what a rewrite must send; `body` is the document that `policy` was read from.

    Raises:
        MalformedResponse: it is no ACL.
    """
    if policy.words:
        if len(policy.words) > 1 or policy.grants:
            raise MalformedResponse(f"an ACL of {policy.words}")
        return DEFAULT_ACL if policy.words[0] == "default" else {WORD: policy.words[0]}
    full = Grant("ID", policy.owner, "FULL_CONTROL")
    others = set(policy.grants) - {full}
    if full in policy.grants:
        if not others:
            return DEFAULT_ACL
        if word := _word(others):
            return {WORD: word}
    return _in_headers(policy.grants) or {DOCUMENT: body.decode("utf-8", "replace")}


def _word(others: Iterable[Grant]) -> str | None:
    """Return the canned word for these grants beside the owner's."""
    found = {
        ("*" if (kind, who) in _EVERYONE else (kind, who), permission)
        for kind, who, permission in others
    }
    if found == {("*", "READ")}:
        return "public-read"
    if found == {("*", "READ"), ("*", "WRITE")}:
        return "public-read-write"
    return "authenticated-read" if found == {(_SIGNED_IN, "READ")} else None


def _in_headers(grants: Iterable[Grant]) -> dict[str, str] | None:
    """Write grants as headers; None if they do not fit, or there are none at all."""
    headers: dict[str, str] = {}
    for kind, who, permission in dict.fromkeys(grants):
        name, grantee = _HEADERS.get(permission), _GRANTEES.get(kind)
        if name is None or grantee is None or '"' in who or "," in who:
            return None
        one = f'{grantee}="{who}"'
        headers[name] = f"{headers[name]}, {one}" if name in headers else one
    return headers or None
