"""Access control lists as values: canned words, grants, headers and documents."""

import json
from typing import NamedTuple
from xml.etree import ElementTree

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.xml_text import element, group, text_of

EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
OWNER_ID = "0123456789abcdef0123456789abcdef"
_SIGNED_IN = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_EC2 = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
_SCHEMA = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_MOST = 100
HEADERS = {
    "grant-read": "READ",
    "grant-write": "WRITE",
    "grant-read-acp": "READ_ACP",
    "grant-write-acp": "WRITE_ACP",
    "grant-full-control": "FULL_CONTROL",
}
_GRANTEES = {"id": "ID", "uri": "URI", "emailaddress": "EmailAddress"}


class Grant(NamedTuple):
    """One grant: `kind` is the element that names the grantee: ID, URI or EmailAddress."""

    kind: str
    who: str
    permission: str


_OWNER = Grant("ID", OWNER_ID, "FULL_CONTROL")
# There is one account: what a bucket's owner is given, the object's owner has.
CANNED = {
    "private": (_OWNER,),
    "bucket-owner-read": (_OWNER,),
    "bucket-owner-full-control": (_OWNER,),
    "public-read": (_OWNER, Grant("URI", EVERYONE, "READ")),
    "public-read-write": (
        _OWNER,
        Grant("URI", EVERYONE, "READ"),
        Grant("URI", EVERYONE, "WRITE"),
    ),
    "authenticated-read": (_OWNER, Grant("URI", _SIGNED_IN, "READ")),
    "aws-exec-read": (_OWNER, Grant("ID", _EC2, "READ")),
}


def read_acl(context: Context) -> str:
    """Return the ACL that a request asks for, as it is stored: a word, or grants in JSON.

    Raises:
        ServiceError: it is no ACL, or the bucket has none.
    """
    name = context.dialect.acl_header
    word, grants = context.own(name), _granted(context)
    if word and grants:
        message = "Specifying both Canned ACLs and Header Grants is not allowed"
        raise ServiceError("InvalidRequest", message)
    if grants:
        return store(context, grants)
    if not word:
        return context.dialect.default_acl
    if word not in context.dialect.canned_acls.get(context.family, CANNED.keys()):
        extra = {"ArgumentName": context.family + name, "ArgumentValue": word}
        raise ServiceError("InvalidArgument", extra=extra)
    if not context.dialect.acls and word not in {"private", "bucket-owner-full-control"}:
        raise ServiceError("AccessControlListNotSupported")
    return word


def _granted(context: Context) -> tuple[Grant, ...]:
    if not context.dialect.grants:
        return ()
    return tuple(
        _grant_of(part, permission)
        for name, permission in HEADERS.items()
        for part in (context.own(name) or "").split(",")
        if part.strip()
    )


def _grant_of(text: str, permission: str) -> Grant:
    name, separator, who = text.strip().partition("=")
    kind = _GRANTEES.get(name.strip().lower())
    if kind is None or not separator:
        raise ServiceError("InvalidArgument", "Argument format not recognized")
    return Grant(kind, who.strip().strip('"'), permission)


def store(context: Context, grants: tuple[Grant, ...]) -> str:
    """Return grants as they are stored.

    Raises:
        ServiceError: there are too many, or the bucket has no ACLs.
    """
    if not context.dialect.acls and set(grants) != {_OWNER}:
        raise ServiceError("AccessControlListNotSupported")
    if len(grants) > _MOST:
        raise ServiceError("MalformedACLError")
    return json.dumps(list(dict.fromkeys(grants)))


def grants_of(acl: str) -> tuple[Grant, ...]:
    """Return the grants of a stored ACL."""
    if acl in CANNED:
        return CANNED[acl]
    if acl.startswith("["):
        return tuple(Grant(*each) for each in json.loads(acl))
    return CANNED["private"]


def is_public(acl: str, permission: str = "READ") -> bool:
    """Tell whether a stored ACL lets everybody read, or do what else a permission is for."""
    return any(
        grant.who == EVERYONE and grant.permission in {permission, "FULL_CONTROL"}
        for grant in grants_of(acl)
    )


def render_grants(context: Context, acl: str) -> str:
    """Return the AccessControlList of a stored ACL."""
    shown = _shown_by_obs if context.family == "x-obs-" else _shown
    return group("AccessControlList", *(shown(grant) for grant in grants_of(acl)))


def _shown(grant: Grant) -> str:
    kind = {"ID": "CanonicalUser", "URI": "Group"}.get(grant.kind, "AmazonCustomerByEmail")
    inner = element(grant.kind, grant.who)
    if grant.who == OWNER_ID:
        inner += element("DisplayName", "emulator")
    grantee = f'<Grantee {_SCHEMA} xsi:type="{kind}">{inner}</Grantee>'
    return group("Grant", grantee, element("Permission", grant.permission))


def _shown_by_obs(grant: Grant) -> str:
    who = element("Canned", "Everyone") if grant.kind == "URI" else element("ID", grant.who)
    return group("Grant", group("Grantee", who), element("Permission", grant.permission))


def parse_grants(root: ElementTree.Element | None) -> tuple[Grant, ...]:
    """Return the grants of a document.

    Raises:
        ServiceError: it is no ACL.
    """
    if root is None or root.tag != "AccessControlPolicy":
        raise ServiceError("MalformedACLError")
    return tuple(_parse_grant(node) for node in root.findall("AccessControlList/Grant"))


def _parse_grant(node: ElementTree.Element) -> Grant:
    grantee, permission = node.find("Grantee"), text_of(node, "Permission") or ""
    if grantee is None or permission not in HEADERS.values():
        raise ServiceError("MalformedACLError")
    if text_of(grantee, "Canned") == "Everyone":
        return Grant("URI", EVERYONE, permission)
    for kind in _GRANTEES.values():
        if who := text_of(grantee, kind):
            return Grant(kind, who, permission)
    raise ServiceError("MalformedACLError")
