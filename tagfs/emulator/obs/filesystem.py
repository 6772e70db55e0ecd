"""What only a parallel file system can: rename, modify in place and truncate (section 17)."""

from dataclasses import replace

from tagfs.emulator.engine.body_upload import receive
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.directories import has_children, make_parents
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.objects import PutObject
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.contents import Extents, slice_extents
from tagfs.emulator.storage.records import ObjectRecord

_MOST = 50 * 1024**4
_DIGITS = 18


async def RenameObject(context: Context) -> Reply:
    """Rename a file or a directory; a file replaces a file, as rename(2) has it.

    The manual says neither what happens to an existing target (an option chooses), nor whether a
    missing slash in front makes the name relative; here it does not.
    """
    _demand_posix(context)
    name = (context.parameter("name") or "").removeprefix("/")
    if not name:
        raise ServiceError("InvalidArgument", "The new name is missing.")
    source = _source(context)
    is_directory = source.endswith("/")
    target = name if not is_directory or name.endswith("/") else f"{name}/"
    if target == source:
        return Reply(status=204)
    if target.startswith(source) and is_directory:
        raise ServiceError("FsObjectConflict", "A directory cannot go below itself.")
    make_parents(context, target)
    objects, bucket = context.storage.objects, context.bucket.id
    if is_directory and has_children(context, target):
        raise ServiceError("DirectoryNotEmpty", extra={"Key": target})
    if not context.dialect.renames_over and objects.exists(bucket, target):
        raise ServiceError("FsObjectConflict", extra={"Key": target})
    objects.rename(bucket, source, target)
    return Reply(status=204)


def _source(context: Context) -> str:
    objects, bucket = context.storage.objects, context.bucket.id
    for key in (context.key, f"{context.key}/"):
        if objects.exists(bucket, key):
            return key
    return context.demand().key


async def ModifyObject(context: Context) -> Reply:
    """Write over a range of a file, which grows as it must; at position 0 it is made."""
    _demand_posix(context)
    position = _number(context, "position")
    if position == 0 and context.find() is None:
        return await PutObject(context)
    old = context.demand()
    staged = await receive(context)
    try:
        old = context.find() or old
        _write_at(context, old, position, staged)
    finally:
        staged.discard()
    return Reply()


async def TruncateObject(context: Context) -> Reply:
    """Cut a file, or lengthen it with zeros."""
    _demand_posix(context)
    length = _number(context, "length")
    await context.request.body.read(1024)
    record = context.demand()
    with context.storage.objects.changing():
        kept = slice_extents(record.extents, 0, length)
        context.storage.contents.share(kept)
        hole = context.storage.contents.add_sparse(max(length - record.size, 0), 1)
        _replace(context, record, kept + hole)
    return Reply(status=204)


def _write_at(context: Context, old: ObjectRecord, position: int, staged: Staged) -> None:
    contents = context.storage.contents
    with context.storage.objects.changing():
        before = slice_extents(old.extents, 0, position)
        end = position + staged.size
        after = slice_extents(old.extents, end, max(old.size - end, 0))
        contents.share(before + after)
        hole = contents.add_sparse(max(position - old.size, 0), 1)
        _replace(context, old, before + hole + contents.add(staged) + after)


def _replace(context: Context, old: ObjectRecord, extents: Extents) -> None:
    size = sum(extent.length for extent in extents)
    version = f"{context.now_ms:024x}{size & 0xFFFFFFFF:08x}"  # opaque: nobody reads it all
    record = replace(
        old,
        size=size,
        extents=extents,
        etag=version,
        md5="",
        crc64=None,
        mtime_ms=context.now_ms,
    )
    context.storage.objects.write(context.bucket.id, record)


def _demand_posix(context: Context) -> None:
    if not context.is_posix:
        raise ServiceError("MethodNotAllowed", "Only a parallel file system can do this.")


def _number(context: Context, name: str) -> int:
    text = context.parameter(name) or ""
    if not text.isdecimal():
        raise ServiceError("InvalidArgument", f"The {name} is no number.")
    if len(text) > _DIGITS or int(text) > _MOST:
        raise ServiceError("EntityTooLarge")
    return int(text)
