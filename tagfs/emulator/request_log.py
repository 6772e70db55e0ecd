"""The request log: a JSON line for each request, there before the client can see the answer's end.

Fields: `time` (seconds since 1970 when the request began), `method`, `bucket`, `key`, `subresource`
(`tagging`, `uploads`, `uploadId`, `partNumber`, `symlink`, `append`, `delete`, `list`, `copy`, ...;
or null), `status` (0: the connection was dropped without an answer), `bytes_in` and `bytes_out` (of
bodies only), `seconds`, `inflight` (requests under way when this one began, itself included),
`operation` (the service's name of the call), and only where they apply `copy` (UploadPartCopy) and
`fault` (what was injected).
"""

import json
from pathlib import Path
from typing import TextIO

from tagfs.emulator.messages import Call

_encode = json.JSONEncoder(separators=(",", ":")).encode


class RequestLog:
    """Appends to a file, or to nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None
        if path is not None:
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, call: Call, outcome: dict[str, object]) -> None:
        """Append one line."""
        if self._file is None:
            return
        line = {
            "time": outcome.pop("time"),
            "method": call.method,
            "bucket": call.bucket,
            "key": call.key,
            "subresource": call.subresource,
            **outcome,
            "operation": call.operation,
        }
        if call.copy and call.subresource != "copy":
            line["copy"] = True
        self._file.write(_encode(line) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
