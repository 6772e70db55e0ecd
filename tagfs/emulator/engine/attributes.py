"""Headers that describe an object: read from the request that makes it, shown by GET and HEAD."""

import base64

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.encoded_words import shown_text, stored_text
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.engine.tags import parse_header
from tagfs.emulator.engine.uncopied import (
    ENCRYPTION,
    HIDDEN,
    is_checksum,
    read_uncopied,
    shown_uncopied,
)
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

STANDARD = "STANDARD"
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Language", "Expires")


def read_attributes(context: Context) -> Attributes:
    """Return what the request says about the object that it makes.

    Raises:
        ServiceError: some of it is not allowed.
    """
    return Attributes(
        headers={**read_headers(context), **read_uncopied(context)},
        meta=read_meta(context),
        tags=read_tags(context),
        storage_class=read_class(context),
        acl=read_acl(context),
    )


def read_headers(context: Context) -> dict[str, str]:
    """Return the HTTP headers that a new object has."""
    return {"Content-Type": context.dialect.default_type, **read_standard_headers(context)}


def read_standard_headers(context: Context) -> dict[str, str]:
    """Return the HTTP headers that the request has for the object."""
    kept = {name: value for name in _KEPT if (value := context.header(name)) is not None}
    if kind := context.header("Content-Type"):
        kept["Content-Type"] = kind
    encoding = context.header("Content-Encoding") or ""
    if context.dialect.aws_chunked and "aws-chunked" in encoding:
        words = (word.strip() for word in encoding.split(","))
        encoding = ",".join(word for word in words if word and word != "aws-chunked")
    if encoding:
        kept["Content-Encoding"] = encoding
    return kept


def read_meta(context: Context) -> dict[str, str]:
    """Return the user metadata: names in lower case, without their prefix.

    Raises:
        ServiceError: there is too much of it, or a name is not allowed.
    """
    prefixes = tuple(f"{family}meta-" for family in context.dialect.families)
    meta: dict[str, str] = {}
    size = 0
    for name, value in context.request.headers.items():
        lower = name.lower()
        for prefix in prefixes:
            if lower.startswith(prefix):
                bare = lower[len(prefix) :]
                if not context.dialect.meta_name(bare):
                    raise ServiceError("InvalidArgument", f"The name {lower} is not allowed.")
                if context.dialect.ascii_meta and not value.isascii():
                    raise ServiceError("InvalidArgument", f"The value of {lower} is not ASCII.")
                kept = stored_text(value) if context.dialect.encoded_words else value
                meta[bare] = f"{meta[bare]},{kept}" if bare in meta else kept
                size += len(bare) + len(kept.encode("utf-8", "surrogateescape"))
    if size > context.dialect.meta_limit:
        raise ServiceError(context.dialect.meta_error, extra={"Size": str(size)})
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
    """Return the storage class asked for, else `default`, else the bucket's."""
    classes = context.dialect.classes
    name = context.own("storage-class") or default
    if not name:
        of_bucket = context.bucket.storage_class
        name = of_bucket if of_bucket in classes else of_bucket.upper()
    if name not in classes:
        raise ServiceError(context.dialect.bad_class)
    if name in context.dialect.not_in_file_systems and context.is_posix:
        raise ServiceError("FsNotSupport")
    return classes[name]


def object_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of an object itself, not of its content."""
    attributes, family = record.attributes, context.family
    own = context.dialect.family  # of the last two, says the Python SDK of OBS, whoever calls
    kept = shown_uncopied(context, attributes.headers)
    headers = {name: text for name, text in kept.items() if not name.startswith(HIDDEN)}
    if (context.header("x-amz-checksum-mode") or "").upper() != "ENABLED":
        headers = {name: text for name, text in headers.items() if not is_checksum(name)}
    for name, value in attributes.meta.items():
        shown = shown_text(value) if context.dialect.encoded_words else value
        headers[f"{family}meta-{name}"] = shown
    visible = not context.caller.anonymous and "deny_tags" not in context.request.modes
    if attributes.tags and visible and context.dialect.counts_tags:
        headers[f"{family}tagging-count"] = str(len(attributes.tags))
    headers |= version_header(context, record)
    if state := _restore_state(record, context.now_ms):
        headers[f"{family}restore"] = state
    if record.kind in context.dialect.shown_kinds:
        headers[f"{own}object-type"] = record.kind.value
    if record.kind is Kind.APPENDABLE:
        headers[f"{own}next-append-position"] = str(record.size)
    return headers


def content_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the headers that GET and HEAD show of a content."""
    headers = {"ETag": f'"{record.etag}"', "Accept-Ranges": "bytes"}
    if record.md5 and context.dialect.shows_md5:
        headers.update(md5_header(record.md5))
    return {**headers, **crc64_header(context, record.crc64)}


def md5_header(md5: str) -> dict[str, str]:
    """Return the header of a content's MD5, which is given in hex."""
    return {"Content-MD5": base64.b64encode(bytes.fromhex(md5)).decode("ascii")}


def crc64_header(context: Context, crc64: int | None) -> dict[str, str]:
    """Return the header of a content's CRC64, where the service tells it."""
    if crc64 is None or not context.dialect.crc64_header:
        return {}
    return {context.family + context.dialect.crc64_header: str(crc64)}


def class_header(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return the header of an object's storage class."""
    name = record.attributes.storage_class
    if name.upper() == STANDARD and not context.dialect.shows_standard:
        return {}
    return {f"{context.family}storage-class": shown_class(context, name)}


def shown_class(context: Context, name: str) -> str:
    """Return a storage class as the caller's family calls it."""
    own = context.dialect.classes.get(name) or name.upper()
    if context.family == context.dialect.family:
        return own
    return context.dialect.shown_classes.get(own, own)


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
    headers |= checksums(record.attributes.headers)
    if context.dialect.answers_class:
        headers.update(class_header(context, record))
    headers |= shown_encryption(context, record.attributes.headers)
    return Reply(headers={**headers, **version_header(context, record)})


def version_header(
    context: Context, record: ObjectRecord, *, name: str = "version-id"
) -> dict[str, str]:
    """Return the header of an object's version, where the bucket keeps any."""
    if not context.bucket.versioning:
        return {}
    return {context.family + name: record.version}


def shown_encryption(context: Context, headers: dict[str, str]) -> dict[str, str]:
    """Return what answers to uploads tell of the encryption."""
    kept = shown_uncopied(context, headers)
    return {name: text for name, text in kept.items() if ENCRYPTION in name}


def checksums(headers: dict[str, str]) -> dict[str, str]:
    """Return the checksums among the headers that are kept with an object."""
    return {name: text for name, text in headers.items() if is_checksum(name)}


def answer_headers(context: Context, record: ObjectRecord) -> dict[str, str]:
    """Return what an answer that is a document says of a new object in its headers."""
    version = version_header(context, record)
    if not context.dialect.etag_headers:
        return version
    return {"ETag": f'"{record.etag}"', **crc64_header(context, record.crc64), **version}
