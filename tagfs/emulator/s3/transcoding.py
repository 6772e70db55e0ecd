"""GCS: what was stored compressed is decompressed for clients that do not accept gzip.

"Transcoding of gzip-compressed files": the range of such a request is ignored, the ETag is that of
what is stored, and Content-Encoding is left out.
"""

import gzip
from dataclasses import replace

from tagfs.emulator.engine import objects
from tagfs.emulator.engine.context import Context
from tagfs.emulator.messages import Reply


async def GetObject(context: Context) -> Reply:
    """Send an object, decompressed where it is compressed and nobody asked for that."""
    record = context.find()
    stored = record.attributes.headers.get("Content-Encoding", "") if record else ""
    if stored != "gzip" or "gzip" in (context.header("Accept-Encoding") or ""):
        return await objects.GetObject(context)
    rangeless = replace(context.dialect, choose_range=lambda _headers, _size: None)
    whole = await objects.GetObject(replace(context, dialect=rangeless))
    whole.body = gzip.decompress(b"".join(whole.chunks()))
    if whole.content is not None:
        whole.content.close()
        whole.content = None
    for name in ("Content-Encoding", "Content-Length"):
        whole.headers.pop(name, None)
    return whole
