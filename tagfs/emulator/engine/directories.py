"""The tree of a parallel file system: directories are objects whose keys end in a slash.

OBS makes the directories above a new file and refuses to delete one that is not empty. In ordinary
buckets nothing here does anything.
"""

from collections.abc import Iterator

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.blobs import stage_bytes
from tagfs.emulator.storage.listing import Query
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord

_EMPTY = stage_bytes(b"")


def make_parents(context: Context, key: str | None = None) -> None:
    """Make the directories above a key, where they are missing.

    Raises:
        ServiceError: a file stands where a directory must, or a directory where a file is to be.
    """
    if not context.is_posix:
        return
    key = context.key if key is None else key
    objects, bucket = context.storage.objects, context.bucket.id
    other = key.removesuffix("/") if key.endswith("/") else f"{key}/"
    if objects.exists(bucket, other):
        raise ServiceError("FsObjectConflict", extra={"Key": key})
    for parent in _parents(key):
        if objects.exists(bucket, parent[:-1]):
            raise ServiceError("FsObjectConflict", extra={"Key": key})
        if not objects.exists(bucket, parent):
            objects.put(bucket, _directory(parent, context.now_ms), _EMPTY)


def refuse_directory(context: Context, key: str) -> None:
    """Refuse to delete a directory that is not empty.

    Raises:
        ServiceError: it is one.
    """
    if context.is_posix and key.endswith("/") and has_children(context, key):
        raise ServiceError("DirectoryNotEmpty", extra={"Key": key})


def has_children(context: Context, directory: str) -> bool:
    """Tell whether there is anything in a directory."""
    query = Query(prefix=directory, after=directory, limit=1)
    return bool(context.storage.list(context.bucket.id, query).objects)


def _parents(key: str) -> Iterator[str]:
    at = key.find("/")
    while 0 <= at < len(key) - 1:
        yield key[: at + 1]
        at = key.find("/", at + 1)


def _directory(key: str, now_ms: int) -> ObjectRecord:
    return ObjectRecord(
        key=key,
        kind=Kind.NORMAL,
        size=0,
        etag=_EMPTY.md5,
        md5=_EMPTY.md5,
        crc64=_EMPTY.crc64,
        mtime_ms=now_ms,
        attributes=Attributes(headers={}, storage_class="STANDARD", acl="private"),
    )
