"""http.client's answer with a reader of its own for the head: one that notices when it was cut.

http.client takes the end of the connection for the end of the headers, so that an answer cut
there looks like one with fewer headers and no body. It also parses headers as it would an e-mail,
which costs as much as all the rest of a small request.
"""

import http.client
import re
import socket
from typing import Final

MAX_HEAD: Final = 256 * 1024
"""Bytes of status line and headers; user metadata alone may be 8 KiB."""

MAX_DIGITS: Final = 40
"""Characters of a length; int() takes no more than some thousands."""

_END: Final = (b"\r\n", b"\n")
_STATUS: Final = re.compile("[1-9][0-9][0-9]")
_CONTINUE = range(100, 200)
_WITHOUT_BODY = frozenset({204, 304})


class FastHTTPResponse(http.client.HTTPResponse):
    """An answer whose head is whole.

    Attributes:
        fields: headers, names in lower case, values as Latin-1; of two with one name the last.
    """

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._is_head = method == "HEAD"
        self.fields: dict[str, str] = {}

    def begin(self) -> None:
        """Read status line and headers, passing over 1xx.

        Raises:
            http.client.HTTPException: the connection ended before they did, or it is no HTTP.
        """
        status, fields = self._read_head()
        while status in _CONTINUE:
            status, fields = self._read_head()
        self.fields = fields
        self.status = self.code = status
        self._frame(fields)

    def _read_head(self) -> tuple[int, dict[str, str]]:
        line = self.fp.readline(MAX_HEAD)
        if not line:
            raise http.client.RemoteDisconnected("the connection ended before an answer")
        version, _, rest = line.decode("latin-1").partition(" ")
        number, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or not _STATUS.fullmatch(number):
            raise http.client.BadStatusLine(repr(line[:80]))
        self.version = 10 if version == "HTTP/1.0" else 11
        self.reason = reason
        return int(number), self._read_fields()

    def _read_fields(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        left = MAX_HEAD
        while (line := self.fp.readline(left)) not in _END:
            left -= len(line)
            name, colon, value = line.decode("latin-1").partition(":")
            if not line.endswith(b"\n") or left <= 0:
                raise http.client.IncompleteRead(line[:80])
            if not colon or not name or name != name.strip():
                raise http.client.HTTPException(f"no header: {line[:80]!r}")
            fields[name.lower()] = value.strip(" \t\r\n")
        return fields

    def _frame(self, fields: dict[str, str]) -> None:
        """Work out where the body ends, and whether the connection lives on (RFC 9112, 6.3).

        Raises:
            http.client.HTTPException: the length is none.
        """
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        connection = fields.get("connection", "").lower()
        self.will_close = "close" in connection or (
            self.version == 10 and "keep-alive" not in connection  # noqa: PLR2004 http.client's 1.0
        )
        length = fields.get("content-length", "")
        if len(length) > MAX_DIGITS:
            raise http.client.HTTPException(f"no length: {length[:80]!r}")
        known = length.isascii() and length.isdigit() and not self.chunked
        self.length = int(length) if known else None
        if self.status in _WITHOUT_BODY or self._is_head:
            self.length, self.chunked = 0, False
        if self.length is None and not self.chunked:
            self.will_close = True
