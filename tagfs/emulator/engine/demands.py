"""What the owner of a bucket may demand of requests, by settings and policies: all off by default.

Chosen by `--option NAME=VALUE`, the same for every service:

object_lock=off|on     on: as in a bucket with Object Lock and a default retention: content comes
                       with Content-MD5 or a checksum ("Put Object requests with Object Lock
                       parameters" of S3's messages)
payloads=any|signed    signed: a policy denies x-amz-content-sha256: UNSIGNED-PAYLOAD
request_payer=owner|requester
                       requester: every request must say that its sender pays for it
encryption=any|required
                       required: a policy denies uploads that name no encryption
batches=on|off         off: DeleteMultipleObjects is not there (501)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply

KNOWN: Final = {
    "object_lock": ("off", "on"),
    "payloads": ("any", "signed"),
    "request_payer": ("owner", "requester"),
    "encryption": ("any", "required"),
    "batches": ("on", "off"),
}
_CONTENT: Final = {"PutObject": "Put Object", "UploadPart": "Put Part"}
_SETS_TAGS: Final = frozenset({"PutObjectTagging", "DeleteObjectTagging"})
_BRINGS_TAGS: Final = frozenset(
    {"PutObject", "InitiateMultipartUpload", "PutSymlink", "CopyObject", "AppendObject"}
)
_CREATING: Final = frozenset(
    {"PutObject", "InitiateMultipartUpload", "CopyObject", "AppendObject", "PostObject"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is demanded of the requests to one service."""

    object_lock: bool = False
    signed_payloads: bool = False
    requester_pays: bool = False
    encryption: bool = False
    no_batches: bool = False
    head_limit: int | None = None

    def check(self, context: Context, operation: str) -> None:
        """Refuse a request that lacks something.

        Raises:
            ServiceError
        """
        if context.call.bucket is None:
            return
        if self.head_limit is not None and _head_size(context) > self.head_limit:
            raise ServiceError("RequestHeaderSectionTooLarge")
        if self.no_batches and operation == "DeleteMultipleObjects":
            raise ServiceError("NotImplemented")
        payload = context.header("x-amz-content-sha256")
        if self.signed_payloads and payload == "UNSIGNED-PAYLOAD":
            raise ServiceError("AccessDenied", "explicit deny in a resource-based policy")
        if self.requester_pays and (context.own("request-payer") or "").lower() != "requester":
            raise ServiceError("AccessDenied")
        unencrypted = context.own("server-side-encryption") is None
        unencrypted &= context.own("server-side-encryption-customer-algorithm") is None
        if self.encryption and operation in _CREATING and unencrypted:
            raise ServiceError("AccessDenied", "explicit deny in a resource-based policy")
        _check_tags(context, operation)
        if self.object_lock and operation in _CONTENT:
            self._check_digest(context, _CONTENT[operation])

    def mark(self, context: Context, reply: Reply) -> None:
        """Say in an answer who pays for it."""
        if self.requester_pays:
            reply.headers[f"{context.family}request-charged"] = "requester"

    def _check_digest(self, context: Context, what: str) -> None:
        if not context.dialect.promises(context.request.headers).given:
            raise ServiceError(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for "
                f"{what} requests with Object Lock parameters",
            )


def _check_tags(context: Context, operation: str) -> None:
    """Refuse what brings tags that may not be set, or none where a policy demands some.

    Raises:
        ServiceError
    """
    modes, brought = context.request.modes, context.own("tagging")
    sets = operation in _SETS_TAGS or bool(brought)
    if "deny_put_tags" in modes and sets:
        raise ServiceError("AccessDenied")
    extends = operation == "AppendObject" and context.parameter("position") != "0"
    demanded = operation in _BRINGS_TAGS and not extends
    if "demand_tags" in modes and demanded and not brought:
        raise ServiceError("AccessDenied", "explicit deny in a resource-based policy")


def _head_size(context: Context) -> int:
    request = context.request
    line = (
        len(request.method) + len(request.path) + len(request.query_string) + len("  HTTP/1.1\r\n")
    )
    fields = request.headers.items()
    return line + sum(
        len(name) + len(value.encode("utf-8", "replace")) + 4 for name, value in fields
    )


def demanded(chosen: Mapping[str, str]) -> Demands:
    """Return what the options want."""
    return Demands(
        object_lock=chosen["object_lock"] == "on",
        signed_payloads=chosen["payloads"] == "signed",
        requester_pays=chosen["request_payer"] == "requester",
        encryption=chosen["encryption"] == "required",
        no_batches=chosen["batches"] == "off",
        head_limit=8 * 1024 if chosen.get("head") == "8k" else None,
    )
