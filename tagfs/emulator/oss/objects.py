"""GetObjectMeta, which no other service has."""

from tagfs.emulator.engine.attributes import content_headers
from tagfs.emulator.engine.context import Context
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Kind
from tagfs.emulator.time_formats import MILLISECONDS, http_date


async def GetObjectMeta(context: Context) -> Reply:
    """Send the little that is cheap to know; of a link, what the link itself is."""
    record = context.demand()
    headers = content_headers(context, record)
    del headers["Accept-Ranges"]
    headers.pop("Content-MD5", None)
    headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    headers["Content-Length"] = str(record.size)
    if record.kind is Kind.SYMLINK:
        headers["x-oss-object-type"] = record.kind.value
    return Reply(headers=headers)
