"""The request log of a mount: a JSON line for each attempt of a request, for who pays for them.

Fields: `time` (seconds since 1970 when it began), `method`, `key` (null for the bucket itself),
`subresource` (`tagging`, `uploads`, `list`, ... or null), `status` (0: no answer came), `bytes_in`
and `bytes_out` (of bodies, received and sent), `seconds`, `request_id` (the service's, "" where it
sent none), `attempt` (from 1).
"""

import json
import logging
import os
import threading
import time
from pathlib import Path

from tagfs.errors import SettingsError
from tagfs.monitoring.log_files import open_to_append
from tagfs.store.http.messages import Attempt

log = logging.getLogger(__name__)

_encode = json.JSONEncoder(separators=(",", ":")).encode


class RequestLog:
    """Appends to one file. Thread-safe: a line is one write(2) to a file opened for appending."""

    def __init__(self, path: Path) -> None:
        """Open the file, readable by its owner alone where it is new: keys are in it.

        Raises:
            SettingsError: it cannot be written.
        """
        self._path = path.absolute()  # a mount in the background has another directory
        self._lock = threading.Lock()  # against a line to a descriptor that `reopen` closes
        self._failed = False
        try:
            self._fd = self._open()
        except OSError as error:
            raise SettingsError(f"request_log={path} cannot be written: {error.strerror}") from None

    def __call__(self, attempt: Attempt) -> None:
        """Append the line of an attempt that has just ended; a full disk is logged once."""
        line = {
            "time": round(time.time() - attempt.seconds, 6),
            "method": attempt.method,
            "key": attempt.key,
            "subresource": attempt.subresource,
            "status": attempt.status,
            "bytes_in": attempt.bytes_in,
            "bytes_out": attempt.bytes_out,
            "seconds": round(attempt.seconds, 6),
            "request_id": attempt.request_id,
            "attempt": attempt.number,
        }
        with self._lock:
            try:
                os.write(self._fd, (_encode(line) + "\n").encode())
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning("%s: requests are not logged: %s", self._path, error.strerror)
                self._failed = True

    def reopen(self) -> None:
        """Begin a new file if the old one was moved away (logrotate)."""
        try:
            new = self._open()
        except OSError as error:
            log.warning("%s stays the file that it was: %s", self._path, error.strerror)
            return
        with self._lock:
            old, self._fd = self._fd, new
        os.close(old)

    def close(self) -> None:
        """Close the file; attempts that end later are not logged."""
        with self._lock:
            null, old = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), self._fd
            self._fd = null
        os.close(old)

    def _open(self) -> int:
        return open_to_append(self._path)
