"""Headers that describe an object: read from the request that makes it, shown by GET and HEAD."""

from tagfs.emulator.engine.conditions import matches
from tagfs.emulator.engine.context import Context, no_such_key
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.engine.tags import parse_header
from tagfs.emulator.engine.uncopied import read_uncopied, shown_uncopied
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

STANDARD = "STANDARD"
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Language", "Expires")
_DEFAULT_TYPE = "binary/octet-stream"
_SHOWN_KINDS = frozenset({Kind.APPENDABLE, Kind.SYMLINK})


def read_attributes(context: Context) -> Attributes:
    """Return what the request says about the object that it makes.

    Raises:
        ServiceError: some of it is not allowed.
    """
    return Attributes(
        headers={
            "Content-Type": _DEFAULT_TYPE,
            **read_standard_headers(context),
            **read_uncopied(context),
        },
        meta=read_meta(context),
        tags=read_tags(context),
        storage_class=read_class(context),
        acl=read_acl(context),
    )


def read_standard_headers(context: Context) -> dict[str, str]:
    """Return the HTTP headers that the request has for the object."""
    kept = {name: value for name in _KEPT if (value := context.header(name)) is not None}
    if kind := context.header("Content-Type"):
        kept["Content-Type"] = kind
    words = (word.strip() for word in (context.header("Content-Encoding") or "").split(","))
    encoding = ",".join(word for word in words if word and word != "aws-chunked")
    if encoding:
        kept["Content-Encoding"] = encoding
    return kept


def read_meta(context: Context) -> dict[str, str]:
    """Return the user metadata: names in lower case, without their prefix.

    Raises:
        ServiceError: there is too much of it.
    """
    prefixes = tuple(f"{family}meta-" for family in context.dialect.families)
    meta: dict[str, str] = {}
    size = 0
    for name, value in context.request.headers.items():
        lower = name.lower()
        for prefix in prefixes:
            if lower.startswith(prefix):
                bare = lower[len(prefix) :]
                meta[bare] = f"{meta[bare]},{value}" if bare in meta else value
                size += len(bare) + len(value.encode("utf-8", "surrogateescape"))
    if size > context.dialect.meta_limit:
        raise ServiceError("MetadataTooLarge", extra={"Size": str(size)})
    return meta


def read_tags(context: Context) -> dict[str, str]:
    """Return the tags of the `tagging` header.

    A file system refuses them, as it refuses ?tagging; the manual does not say so of the header.
    """
    header = context.own("tagging")
    if not header:
        return {}
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    if not context.dialect.object_tagging:
        raise ServiceError("MethodNotAllowed", "Object tagging is not enabled.")
    return parse_header(header, context.dialect.object_tags)


def read_class(context: Context, default: str = "") -> str:
    """Return the storage class asked for, or the bucket's."""
    name = context.own("storage-class") or default or context.bucket.storage_class.upper()
    if name not in context.dialect.classes:
        raise ServiceError("InvalidStorageClass")
    return context.dialect.classes[name]


def guard_overwrite(context: Context, *, exclusive: bool = False, conditional: bool = True) -> None:
    """Refuse to replace what must not be replaced.

    OBS has `forbid-overwrite`, known from clients that use it, and ignores If-None-Match, which is
    the worst that clients report of it. S3 has If-Match and If-None-Match, which are ignored if
    not `conditional`.

    Raises:
        ServiceError: the object at the key forbids it.
    """
    record = context.find()
    forbidden = exclusive or (context.own("forbid-overwrite") or "").lower() == "true"
    if forbidden and record is not None:
        raise ServiceError("ObjectAlreadyExists", extra={"Key": context.key})
    if not context.dialect.conditional_writes or not conditional:
        return
    known, wanted = context.header("If-None-Match"), context.header("If-Match")
    if known is not None and record is not None and matches(known, record.etag):
        raise ServiceError("PreconditionFailed", extra={"Condition": "If-None-Match"})
    if wanted is not None:
        if record is None:
            raise no_such_key(context.key)
        if not matches(wanted, record.etag):
            raise ServiceError("PreconditionFailed", extra={"Condition": "If-Match"})


def object_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of an object itself, not of its content."""
    attributes, family = record.attributes, context.family
    headers = dict(shown_uncopied(context, attributes.headers))
    for name, value in attributes.meta.items():
        headers[f"{family}meta-{name}"] = value
    visible = not context.caller.anonymous and "deny_tags" not in context.request.modes
    if attributes.tags and visible and context.dialect.counts_tags:
        headers[f"{family}tagging-count"] = str(len(attributes.tags))
    if record.kind in _SHOWN_KINDS:  # these two never go by another name, says the Python SDK
        headers["x-obs-object-type"] = record.kind.value
    if record.kind is Kind.APPENDABLE:
        headers["x-obs-next-append-position"] = str(record.size)
    if state := _restore_state(record, context.now_ms):
        headers[f"{family}restore"] = state
    return headers


def content_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of a content."""
    headers = {"ETag": f'"{record.etag}"', "Accept-Ranges": "bytes"}
    if record.crc64 is not None and context.dialect.shows_crc64:
        headers[f"{context.family}checksum-crc64ecma"] = str(record.crc64)
    name = record.attributes.storage_class
    if name.upper() != STANDARD:
        headers[f"{context.family}storage-class"] = shown_class(context, name)
    return headers


def shown_class(context: Context, name: str) -> str:
    """Return a storage class as the caller's family calls it."""
    if context.family == context.dialect.family:
        return name.upper()
    return context.dialect.shown_classes.get(name, name.upper())


def _restore_state(record: ObjectRecord, now_ms: int) -> str | None:
    if not record.restored_from_ms:
        return None
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
    if record.attributes.storage_class not in context.dialect.archives:
        return
    if not record.restored_from_ms <= context.now_ms < record.restored_until_ms:
        raise ServiceError("InvalidObjectState", extra={"Key": record.key})


def stored_reply(context: Context, record: ObjectRecord) -> Reply:
    """Return the answer to a request that stored a content."""
    headers = content_headers(context, record)
    del headers["Accept-Ranges"]
    return Reply(headers=headers)
