"""Programs that open a file to look at it, and then read it or not: borg, and other backups.

borg opens every file before it compares its inode number and times with last time. An open that
brings the first bytes along would download what nobody reads. Such programs leave the time of
access alone (O_NOATIME), as almost nobody else does; so those opens ask what is there by a HEAD, as
long as what was opened that way last was not read. git, which does likewise and reads what it
opens, pays one request for that, once.
"""

import os

from tagfs.fs.openfiles.open_file import Handle


class LookingOpens:
    """Says whether an open is to ask for no content. Thread-safe: a wrong guess is one request."""

    def __init__(self) -> None:
        self._handles: set[int] = set()
        self._looks = True

    def looks(self, flags: int) -> bool:
        """Say whether who opens a file with these flags is expected to look at it alone."""
        return bool(flags & os.O_NOATIME) and self._looks

    def opened(self, handle: Handle, flags: int) -> None:
        """Note a handle that was opened with these flags, to be read."""
        if flags & os.O_NOATIME:
            self._handles.add(handle.fh)

    def released(self, handle: Handle) -> None:
        """Learn from a handle that is closed."""
        if handle.fh in self._handles:
            self._handles.discard(handle.fh)
            self._looks = handle.reader is not None and not handle.reader.was_read
