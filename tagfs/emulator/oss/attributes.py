"""Headers that describe an object: read from the request that makes it, shown by GET and HEAD."""

import base64

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.tags import parse_header
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

ARCHIVES = frozenset({"Archive", "ColdArchive", "DeepColdArchive"})
CLASSES = frozenset({"Standard", "IA", *ARCHIVES})
OBJECT_ACLS = frozenset({"default", "private", "public-read", "public-read-write"})
_STANDARD = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Expires",
)
_ENCRYPTION = "x-oss-server-side-encryption"
_KEY_ID = f"{_ENCRYPTION}-key-id"
_METHODS = frozenset({"AES256", "KMS", "SM4"})
_META = "x-oss-meta-"
_META_LIMIT = 8 * 1024
_PRECONDITIONS = ("If-Modified-Since", "If-Unmodified-Since", "If-Match", "If-None-Match")
_DEFAULT_TYPE = "application/octet-stream"


def read_attributes(context: Context) -> Attributes:
    """Return what the request says about the object that it makes.

    Raises:
        ServiceError: some of it is not allowed.
    """
    return Attributes(
        headers={**read_standard_headers(context), **read_encryption(context)},
        meta=read_meta(context),
        tags=read_tags(context),
        storage_class=read_class(context, context.bucket.storage_class),
        acl=read_acl(context),
    )


def read_standard_headers(context: Context) -> dict[str, str]:
    """Return the HTTP headers that the service keeps with an object."""
    kept = {"Content-Type": context.header("Content-Type") or _DEFAULT_TYPE}
    for name in _STANDARD:
        value = context.header(name)
        if value is not None:
            kept[name] = value
    return kept


def read_encryption(context: Context) -> dict[str, str]:
    """Return the encryption that a request asks for; a copy never takes it from its source.

    Raises:
        ServiceError: there is no such method.
    """
    method, key_id = context.header(_ENCRYPTION), context.header(_KEY_ID)
    if method is None and key_id is None:
        return {}
    if method not in _METHODS or (key_id is not None and method != "KMS"):
        raise ServiceError("InvalidArgument", f"The encryption {method} {key_id} makes no sense.")
    return {_ENCRYPTION: method} | ({_KEY_ID: key_id} if key_id else {})


def is_encryption(name: str) -> bool:
    """Tell whether a header that is kept with an object says how it is encrypted."""
    return name.startswith(_ENCRYPTION)


def read_meta(context: Context) -> dict[str, str]:
    """Return the user metadata: names in lower case, without their prefix.

    Raises:
        ServiceError: there is too much of it, or a name holds an underscore.
    """
    meta: dict[str, str] = {}
    size = 0
    for name, value in context.request.headers.items():
        lower = name.lower()
        if lower.startswith(_META):
            if "_" in lower or lower == _META:
                raise ServiceError("InvalidArgument", f"The metadata name {lower} is not allowed.")
            meta[lower[len(_META) :]] = value
            size += len(lower) + len(value.encode("utf-8", "surrogateescape"))
    if size > _META_LIMIT:
        raise ServiceError("InvalidArgument", "The user metadata is over 8 KB.")
    return meta


def read_tags(context: Context) -> dict[str, str]:
    """Return the tags of `x-oss-tagging`."""
    header = context.header("x-oss-tagging")
    return parse_header(header) if header else {}


def read_class(context: Context, default: str) -> str:
    """Return the storage class asked for."""
    name = context.header("x-oss-storage-class") or default
    if name not in CLASSES:
        raise ServiceError("InvalidArgument", f"No such storage class: {name}.")
    return name


def read_acl(context: Context) -> str:
    """Return the object ACL asked for."""
    acl = context.header("x-oss-object-acl") or "default"
    if acl not in OBJECT_ACLS:
        raise ServiceError("InvalidArgument", f"No such object ACL: {acl}.")
    return acl


def refuse_preconditions(context: Context) -> None:
    """Refuse what only reading requests may carry.

    Raises:
        ServiceError: there is such a header.
    """
    for name in _PRECONDITIONS:
        if context.header(name) is not None:
            raise ServiceError("NotImplemented", extra={"Header": name})


def wants_exclusive(context: Context) -> bool:
    """Tell whether the request forbids to replace an object.

    Raises:
        ServiceError: it says neither yes nor no.
    """
    value = context.header("x-oss-forbid-overwrite")
    if value is not None and value.lower() not in {"true", "false"}:
        message = "The value of x-oss-forbid-overwrite must be true or false."
        raise ServiceError("InvalidArgument", message, ec="0017-00000279")
    return value is not None and value.lower() == "true"


def refuse_overwrite(context: Context, *, exclusive: bool, ec: str | None = None) -> None:
    """Refuse to replace an object where that is forbidden.

    Raises:
        ServiceError: there is one.
    """
    if exclusive and context.storage.objects.exists(context.bucket.id, context.key):
        raise ServiceError("FileAlreadyExists", ec=ec)


def object_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of an object itself, not of its content."""
    attributes = record.attributes
    headers = {
        **attributes.headers,
        "x-oss-object-type": record.kind.value,
        "x-oss-storage-class": attributes.storage_class,
    }
    for name, value in attributes.meta.items():
        headers[_META + name] = value
    if attributes.tags and not context.anonymous and "deny_tags" not in context.request.modes:
        headers["x-oss-tagging-count"] = str(len(attributes.tags))
    if record.kind is Kind.APPENDABLE:
        headers["x-oss-next-append-position"] = str(record.size)
    if record.restored_from_ms:
        headers["x-oss-restore"] = restore_state(record, context.now_ms) or ""
        if not headers["x-oss-restore"]:
            del headers["x-oss-restore"]
    return headers


def content_headers(record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of a content."""
    headers = {"ETag": f'"{record.etag}"', "Accept-Ranges": "bytes"}
    if record.md5:
        headers["Content-MD5"] = base64.b64encode(bytes.fromhex(record.md5)).decode("ascii")
    if record.crc64 is not None:
        headers["x-oss-hash-crc64ecma"] = str(record.crc64)
    return headers


def restore_state(record: ObjectRecord, now_ms: int) -> str | None:
    """Return the value of `x-oss-restore`; None once a restored copy has expired."""
    if now_ms < record.restored_from_ms:
        return 'ongoing-request="true"'
    if now_ms < record.restored_until_ms:
        expiry = http_date(record.restored_until_ms // MILLISECONDS)
        return f'ongoing-request="false", expiry-date="{expiry}"'
    return None


def refuse_archived(context: Context, record: ObjectRecord) -> None:
    """Refuse to read an archived content that is not restored.

    Raises:
        ServiceError: it is one.
    """
    if record.attributes.storage_class not in ARCHIVES:
        return
    if not record.restored_from_ms <= context.now_ms < record.restored_until_ms:
        raise ServiceError("InvalidObjectState", extra={"ObjectName": record.key})


def stored_reply(record: ObjectRecord) -> Reply:
    """Return the answer to a request that stored a content."""
    headers = content_headers(record)
    del headers["Accept-Ranges"]
    return Reply(headers=headers)
