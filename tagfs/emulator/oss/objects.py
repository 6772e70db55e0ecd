"""GetObjectMeta, which no other service has, and texts that go compressed."""

from tagfs.emulator.engine import objects
from tagfs.emulator.engine.attributes import content_headers
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Kind
from tagfs.emulator.time_formats import MILLISECONDS, http_date

_COMPRESSED = frozenset(
    """
    text/cache-manifest text/xml text/plain text/css application/javascript
    application/x-javascript application/rss+xml application/json text/json
    """.split()
)
_LEAST = 1024
_TRAFFIC = range(819_200, 838_860_801)


def _check_traffic(context: Context) -> None:
    """Refuse a limit of the traffic that is none.

    Raises:
        ServiceError: it is out of range.
    """
    limit = context.own("traffic-limit") or context.parameter("x-oss-traffic-limit")
    if limit is not None and not (limit.isdecimal() and int(limit) in _TRAFFIC):
        raise ServiceError("InvalidTrafficLimit")


async def PutObject(context: Context) -> Reply:
    """Store a body."""
    _check_traffic(context)
    return await objects.PutObject(context)


async def GetObject(context: Context) -> Reply:
    """Send a content; a text that is not small goes as gzip to whom accepts that."""
    _check_traffic(context)
    reply = await objects.GetObject(context)
    accepted = "gzip" in (context.header("Accept-Encoding") or "")
    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    whole = context.header("Range") is None and "Content-Encoding" not in reply.headers
    if accepted and whole and kind in _COMPRESSED and reply.length >= _LEAST:
        reply.compressed = True
        reply.headers.pop("ETag")
    return reply


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
