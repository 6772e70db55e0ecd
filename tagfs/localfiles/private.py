"""Opening what must be ours alone: no link is followed, nobody else's file is read.

A staging directory is 0700 and its owner's. What is found in it is opened relative to its
descriptor, so nothing that happens to its path meanwhile leads elsewhere.
"""

import errno
import fcntl
import os
import stat
from pathlib import Path

from tagfs.localfiles.atomic import replace_file

LARGEST_NOTE = 64 * 1024**2
"""Bytes; a file written at a million places has a note of some 30 MB."""


class UnsafeFile(Exception):
    """Something that is not as tagfs makes it, and is left alone; its text says what."""


def open_directory(path: Path) -> int:
    """Open a directory that is ours and closed to others; return its descriptor.

    Raises:
        UnsafeFile
        FileNotFoundError
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafeFile(_reason(error)) from None
    found = os.fstat(fd)
    if found.st_uid != os.geteuid():
        os.close(fd)
        raise UnsafeFile(f"it belongs to user {found.st_uid}, not to {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.close(fd)
        raise UnsafeFile(f"its mode is {stat.S_IMODE(found.st_mode):04o} instead of 0700")
    return fd


def is_locked(directory: int, name: str) -> bool:
    """Say whether a process that runs has a file of ours locked.

    Raises:
        UnsafeFile
        FileNotFoundError
    """
    fd = open_file(directory, name)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def open_file(directory: int, name: str, flags: int = os.O_RDONLY) -> int:
    """Open a plain file of ours in an open directory; return its descriptor.

    Raises:
        UnsafeFile
        FileNotFoundError
    """
    # O_NONBLOCK: a planted fifo would otherwise make the open wait for ever.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafeFile(_reason(error)) from None
    try:
        check_file(os.fstat(fd))
    except UnsafeFile:
        os.close(fd)
        raise
    return fd


def check_file(found: os.stat_result) -> None:
    """Raise if this is not a plain file of ours that nobody else can write.

    Raises:
        UnsafeFile
    """
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeFile("it is a symbolic link, which is not followed")
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile("it is no plain file")
    if found.st_uid != os.geteuid():
        raise UnsafeFile(f"it belongs to user {found.st_uid}, not to {os.geteuid()}")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise UnsafeFile(f"its mode {stat.S_IMODE(found.st_mode):04o} lets others write it")


def read_text(directory: int, name: str) -> str:
    """Return what a small file holds, with whatever is not UTF-8 replaced.

    Raises:
        UnsafeFile
        FileNotFoundError
    """
    fd = open_file(directory, name)
    with os.fdopen(fd, "rb") as file:
        data = file.read(LARGEST_NOTE + 1)
    if len(data) > LARGEST_NOTE:
        raise UnsafeFile("it is too large for a note")
    return data.decode("utf-8", "replace")


def write_text(directory: int, name: str, text: str) -> None:
    """Put a small file in place at once, lasting."""
    replace_file(name, text.encode(), directory=directory, lasting=True)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return "it is a symbolic link, which is not followed"
    if error.errno == errno.ENOTDIR:
        return "it is no directory, or a symbolic link to one, which is not followed"
    return error.strerror or str(error)
