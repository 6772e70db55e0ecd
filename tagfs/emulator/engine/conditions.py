"""Conditions: which object a request wants to read, and which it must not replace."""

from collections.abc import Mapping

from tagfs.emulator.engine.context import Context, no_such_key
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, parse_http_date

_CONDITIONS = ("If-Modified-Since", "If-Unmodified-Since", "If-Match", "If-None-Match")


def check_conditions(context: Context, record: ObjectRecord, mtime_ms: int) -> None:
    """Judge If-Match and its kin.

    Raises:
        ServiceError: 412 if the object is not the wanted one, 304 if the client has it already.
    """
    _judge(context, record, mtime_ms, "", known_status="NotModified")


def check_source(context: Context, record: ObjectRecord, prefix: str) -> None:
    """Judge the conditions of a copy's source.

    Raises:
        ServiceError: the object is not the wanted one.
    """
    known_status = context.dialect.copies.known_status
    _judge(context, record, record.mtime_ms, prefix, known_status=known_status)


def _judge(
    context: Context, record: ObjectRecord, mtime_ms: int, prefix: str, *, known_status: str
) -> None:
    headers = context.request.headers
    every = context.dialect.all_conditions
    if failed := _unwanted(headers, record, mtime_ms, prefix, every=every):
        raise ServiceError("PreconditionFailed", extra={"Condition": failed})
    if _known(headers, record, mtime_ms, prefix):
        etag = {"ETag": f'"{record.etag}"'} if known_status == "NotModified" else {}
        raise ServiceError(known_status, headers=etag)


def _unwanted(
    headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int, prefix: str, *, every: bool
) -> str:
    """Return the condition that fails; RFC 9110, 13.2.2: only one of the two counts."""
    wanted = headers.get(f"{prefix}If-Match")
    if wanted is not None and not matches(wanted, record.etag):
        return "If-Match"
    before = _time_of(headers.get(f"{prefix}If-Unmodified-Since"))
    counts = wanted is None or every
    if counts and before is not None and mtime_ms // MILLISECONDS > before:
        return "If-Unmodified-Since"
    return ""


def _known(headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int, prefix: str) -> bool:
    known = headers.get(f"{prefix}If-None-Match")
    if known is not None:
        return matches(known, record.etag)
    since = _time_of(headers.get(f"{prefix}If-Modified-Since"))
    return since is not None and mtime_ms // MILLISECONDS <= since


def matches(wanted: str, etag: str) -> bool:
    """Tell whether an ETag is among those of a header."""
    names = (name.strip().removeprefix("W/").strip('"') for name in wanted.split(","))
    return any(name in {"*", etag} for name in names)


def _time_of(text: str | None) -> float | None:
    return None if text is None else parse_http_date(text)


def refuse_conditions(context: Context) -> None:
    """Refuse what only reading requests may carry, where the service does.

    Raises:
        ServiceError: there is such a header.
    """
    if not context.dialect.refuses_conditions:
        return
    for name in _CONDITIONS:
        if context.header(name) is not None:
            raise ServiceError("NotImplemented", extra={"Header": name})


def refuse_callback(context: Context) -> None:
    """Refuse to call somebody back: to do the rest would be success where half of it was done.

    Raises:
        ServiceError: somebody is to be called.
    """
    if context.own("callback") is not None:
        raise ServiceError("NotImplemented", "The emulator calls nobody back.")


def wants_exclusive(context: Context) -> bool:
    """Tell whether the request forbids to replace an object.

    Raises:
        ServiceError: it says neither yes nor no.
    """
    if not context.dialect.exclusive_header:
        return False
    value = (context.own("forbid-overwrite") or "").lower()
    if context.dialect.checks_exclusive and value not in {"", "true", "false"}:
        message = f"The value of {context.family}forbid-overwrite must be true or false."
        raise ServiceError("InvalidArgument", message, ec="0017-00000279")
    return value == "true"


def guard_overwrite(context: Context, *, exclusive: bool = False, ec: str | None = None) -> None:
    """Refuse to replace what must not be replaced.

    OSS and OBS have `forbid-overwrite`, that of OBS known from clients that use it. OBS ignores
    If-None-Match, which is the worst that clients report of it.

    Raises:
        ServiceError: the object at the key forbids it.
    """
    exclusive = wants_exclusive(context) or exclusive
    if context.bucket.versioning and context.dialect.versions_overwrite:
        return
    if exclusive and context.storage.objects.exists(context.bucket.id, context.key):
        raise ServiceError(context.dialect.exists, ec=ec, extra={"Key": context.key})


def guard_version(context: Context) -> None:
    """Refuse to replace another version than If-Match and If-None-Match allow, as S3 has them.

    Raises:
        ServiceError: there is one.
    """
    if not context.dialect.conditional_writes:
        return
    record = context.find()
    known, wanted = context.header("If-None-Match"), context.header("If-Match")
    if known is not None and record is not None and matches(known, record.etag):
        raise ServiceError("PreconditionFailed", extra={"Condition": "If-None-Match"})
    if wanted is not None:
        if record is None:
            raise no_such_key(context.key)
        if not matches(wanted, record.etag):
            raise ServiceError("PreconditionFailed", extra={"Condition": "If-Match"})
