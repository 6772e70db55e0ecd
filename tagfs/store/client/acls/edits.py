"""ACLs set because a program asked for it: a word of the service's, and every refusal is raised."""

from typing import Final

from tagfs.errors import AccessDenied, MalformedResponse, Unsupported
from tagfs.store.acl import DEFAULT_ACL, WORD
from tagfs.store.client.acls.object_acls import NONE_HERE, ObjectAcls
from tagfs.store.client.context import ClientContext
from tagfs.store.http.messages import Request
from tagfs.store.wire.documents import parse_policy

_MOST: Final = 1024**2
"""Bytes of an ACL."""

DEFAULT: Final = "default"
"""The word for what an object has unless an ACL is set; OSS knows it, the others say "private"."""


class AclEdits:
    """PutObjectAcl; see `ObjectWrites.put_acl` for what the method promises."""

    def __init__(self, context: ClientContext, acls: ObjectAcls) -> None:
        self._api = context.api
        self._features = context.features
        self._acls = acls
        self._proven = False

    def put_acl(self, key: str, word: str) -> None:
        """Give an object a canned ACL; see `ObjectWrites.put_acl`."""
        self._api.check_key(key)
        self._prove(key)
        own = self._api.dialect.default_acl if word == DEFAULT else word
        request = Request(
            operation="PutObjectAcl",
            method="PUT",
            key=key,
            query={"acl": ""},
            headers={self._api.header(self._api.dialect.acl_header): own},
            subresource="acl",
        )
        answer = self._api.send(request, allow=NONE_HERE)
        if answer.error is not None:
            raise Unsupported(f"{request}: {answer}")
        is_default = own == self._api.dialect.default_acl
        self._acls.remember(key, DEFAULT_ACL if is_default else {WORD: own})

    def _prove(self, key: str) -> None:
        """Make sure that PUT ?acl is no PutObject, by reading the ACL of `key` if need be.

        Raises:
            Unsupported: it would be one, or there are no ACLs.
            AccessDenied: that cannot be known, as it may not be read.
        """
        if self._proven or self._features.heeds_subresources:
            return
        request = Request(
            operation="GetObjectAcl",
            method="GET",
            key=key,
            query={"acl": ""},
            subresource="acl",
            max_answer=_MOST,
            content=True,  # a server that ignores the sub-resource sends the object
        )
        try:
            answer = self._api.send(request, allow=NONE_HERE)
            if answer.error is not None:
                raise Unsupported(f"{request}: {answer}")
            parse_policy(answer.body)
        except MalformedResponse as failure:
            raise Unsupported(f"{request}: no ACL came: {failure}") from failure
        except AccessDenied as denied:
            raise AccessDenied(f"whether ACLs can be set is not known: {denied}") from denied
        self._proven = True
