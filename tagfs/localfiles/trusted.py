"""Files that say what tagfs is to do: where a user has them, and whether they can be trusted.

The environment may be almost empty: mount(8) at boot sets not even HOME.
"""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_SIZE: Final = 1024 * 1024
"""Bytes; nothing that people write by hand is larger."""

ROOT_HOME: Final = "/root"

_OTHERS = 0o077
_WRITE = 0o022


class Untrusted(Exception):
    """A file that others could read or change, or that is none; the sentence says what to do."""


class Unreadable(Untrusted):
    """A file that this user may not even look at."""


def home(environment: Mapping[str, str]) -> Path | None:
    """Return the user's home, from the password file where HOME is not set; None without any.

    Nor where it is root's for another user: mount.fuse(8) says so to each user of fstab.
    """
    named = environment.get("HOME")
    if named and (os.getuid() == 0 or named != ROOT_HOME):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:  # a container's user without a line in /etc/passwd
        return None


def expand(text: str, environment: Mapping[str, str]) -> Path:
    """Return a path as a user wrote it, with `~/` replaced by the home."""
    base = home(environment)
    return base / text[2:] if text.startswith("~/") and base else Path(text)


def read_trusted(path: Path) -> str:
    """Return the text of a file that only the user and root can change.

    Raises:
        FileNotFoundError
        Untrusted
    """
    return _read(path, _WRITE, "changed", "chmod go-w")


def read_secret(path: Path) -> str:
    """Return the text of a file that nobody else can read.

    A group may read what is root's: without it, no other user could be given the file.

    Raises:
        FileNotFoundError
        Untrusted
    """
    return _read(path, _OTHERS, "read", "chmod 600")


def _read(path: Path, forbidden: int, verb: str, remedy: str) -> str:
    try:
        # A pipe in the file's place must not make us wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):  # a home of /dev/null is usual for services
        raise FileNotFoundError(str(path)) from None
    except OSError as error:
        kind = Unreadable if isinstance(error, PermissionError) else Untrusted
        raise kind(f"{path} cannot be read: {error.strerror}") from None
    try:
        _check(path, os.fstat(descriptor), forbidden, f"can be {verb} by others", remedy)
        data = b""
        while len(data) <= MAX_SIZE and (chunk := os.read(descriptor, MAX_SIZE + 1)):
            data += chunk
    except OSError as error:
        raise Untrusted(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > MAX_SIZE:
        raise Untrusted(f"{path} is larger than {MAX_SIZE} bytes")
    text = data.decode("utf-8-sig", "replace")
    if "\ufffd" in text:
        raise Untrusted(f"{path} is not UTF-8")
    return text


def _check(path: Path, found: os.stat_result, forbidden: int, danger: str, remedy: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Untrusted(f"{path} is not a file")
    if found.st_uid not in {0, os.geteuid()}:
        raise Untrusted(f"{path} belongs to another user (uid {found.st_uid})")
    if found.st_uid == 0 != os.geteuid():
        forbidden &= ~stat.S_IRGRP
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        raise Untrusted(f"{path} {danger} (mode {mode:04o}): {remedy} {path}")
