"""Opening files that are appended to: what another user put in their place is not used.

They tell names, tags and errors, so a new one is readable by its owner alone.
"""

import errno
import os
import stat
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def open_to_append(path: Path) -> int:
    """Open a file for appending, 0600 if it is new; return its descriptor.

    A link is followed if it is ours or root's (as /dev/stderr is), never one that another user
    made. A file of another user, or one that has a second name, is refused: what is written there
    would be theirs to read, or would damage a file that was meant to be something else.

    Raises:
        OSError: ELOOP for such a link, EPERM for such a file, or what open(2) says.
    """
    try:
        fd = os.open(path, _FLAGS | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        if os.lstat(path).st_uid not in {0, os.geteuid()}:
            raise OSError(errno.ELOOP, "it is a symbolic link of another user") from None
        fd = os.open(path, _FLAGS, 0o600)
    try:
        _check(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        return  # a terminal or a pipe
    if found.st_uid not in {0, os.geteuid()}:
        raise OSError(errno.EPERM, f"it belongs to another user (uid {found.st_uid})")
    if found.st_nlink > 1:
        raise OSError(errno.EPERM, "it has a second name (a hard link)")
