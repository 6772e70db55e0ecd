"""http.client's answer, made to notice when its head was cut."""

import http.client
from io import BufferedReader
from typing import cast


class _Head:
    """A connection while the head of an answer is read from it."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self._begun = False
        self.close = stream.close

    def readline(self, limit: int = -1) -> bytes:
        """Return one line; the end of the connection is none once the head has begun."""
        line = self._stream.readline(limit)
        if self._begun and not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line)
        self._begun = True
        return line


class WholeAnswer(http.client.HTTPResponse):
    """An answer whose head is whole.

    http.client takes the end of the connection for the end of the headers, so that an answer cut
    there looks like one with fewer headers and no body.
    """

    def begin(self) -> None:
        """Read status line and headers.

        Raises:
            http.client.HTTPException: the connection ended before they did.
        """
        stream = self.fp
        head = cast("BufferedReader", _Head(stream))  # readline and close are all that is used
        self.fp = head
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = stream
