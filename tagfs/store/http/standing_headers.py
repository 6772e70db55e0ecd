"""Headers that the user's choices add to every request of a kind: who pays, and what encrypts.

Pure. `Transport` dresses what it delivers, so that no part of the client can forget one of them.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tagfs.store.dialects.dialect import Dialect
from tagfs.store.dialects.header_names import ENCRYPTION
from tagfs.store.http.encryption import NONE_CHOSEN, Encryption
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NOTHING

_CREATING: Final = frozenset({"PutObject", "InitiateMultipartUpload", "CopyObject", "AppendObject"})
_OF_CONTENT: Final = _CREATING | {"UploadPart", "UploadPartCopy", "GetObject", "HeadObject"}
_OF_UPLOADS: Final = frozenset({"PutObject", "UploadPart"})
_COPYING: Final = frozenset({"CopyObject", "UploadPartCopy"})
_NOT_NEW: Final = frozenset({"GetObject", "HeadObject", "UploadPart"})
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingHeaders:
    """What is added to requests.

    Attributes:
        always: to every request.
        encryption: to what makes an object, unless it names another than the usual one.
        customer: the same, and to what sends or reads content: the customer's own key.
        source: to copies: the key of their source.
        method: the header that names an encryption, and `usual` what nobody chose.
        opaque: whether ETags tell nothing of what is sent.
    """

    always: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    encryption: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    customer: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    source: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    method: str = ""
    usual: str = ""
    opaque: bool = False

    def dress(self, request: Request) -> Request:
        """Return a request with all that belongs to it."""
        if self is BARE:
            return request
        headers = {**request.headers, **self.always}
        if request.operation in _CREATING:
            self._encrypt(headers)
        elif request.operation in _OF_CONTENT:
            headers |= self.customer
        if request.operation in _COPYING:
            headers |= self.source
        if headers == request.headers:
            return request
        # Where ETags are no MD5s, only one that goes ahead guards what is on its way.
        guards = self.opaque and request.md5 and request.operation in _OF_UPLOADS
        first = request.md5_first or guards
        return replace(request, headers=headers, md5_first=first)

    def _encrypt(self, headers: dict[str, str]) -> None:
        """Name the encryption of a new object; one that was chosen for it before stays."""
        if headers.get(self.method, self.usual) != self.usual:
            return
        if self.customer:
            headers.pop(self.method, None)
        headers |= self.encryption
        headers |= self.customer

    def undress(self, request: Request, answer: Response) -> Request | None:
        """Return a dressed request as it fits an object that has no key of the customer's.

        Keys are refused where there is none, so a bucket may hold both. What is made is never made
        without the key. None where that is not what the answer may be about.
        """
        if answer.status != _BAD_REQUEST or not self.customer:
            return None
        extra = dict(self.customer) if request.operation in _NOT_NEW else {}
        extra |= self.source if request.operation in _COPYING else {}
        headers = {name: text for name, text in request.headers.items() if name not in extra}
        return None if headers == request.headers else replace(request, headers=headers)


BARE: Final = StandingHeaders()
"""Nothing is added."""


def standing_headers(
    dialect: Dialect, *, encryption: Encryption = NONE_CHOSEN, requester_pays: bool = False
) -> StandingHeaders:
    """Return what the choices come to in a service's words."""
    if encryption == NONE_CHOSEN and not requester_pays:
        return BARE
    method, prefix = dialect.uncopied[ENCRYPTION], dialect.header_prefix
    headers = {method: encryption.method} if encryption.method else {}
    if encryption.key_id:
        headers[dialect.uncopied[f"{ENCRYPTION}-key-id"]] = encryption.key_id
    return StandingHeaders(
        always={f"{prefix}request-payer": "requester"} if requester_pays else NOTHING,
        encryption=headers,
        customer=_key_headers(prefix, encryption.customer_key),
        source=_key_headers(f"{prefix}copy-source-", encryption.customer_key),
        method=method,
        usual=dialect.usual_encryption,
        opaque=dialect.md5_etags and encryption.hides_md5,
    )


def _key_headers(prefix: str, key: bytes | None) -> dict[str, str]:
    if key is None:
        return {}
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    name = f"{prefix}{ENCRYPTION}-customer-"
    return {
        f"{name}algorithm": "AES256",
        f"{name}key": base64.b64encode(key).decode(),
        f"{name}key-md5": base64.b64encode(digest).decode(),
    }
