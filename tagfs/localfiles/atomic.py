"""Files that are replaced at once, and what makes a change of a directory last."""

import os
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(
    name: Path | str, data: bytes, *, directory: int | None = None, lasting: bool
) -> None:
    """Put a small file of ours in place: a reader, and a crash, finds the old or the new one.

    `directory` is the descriptor of what `name` is relative to, None for a path. With `lasting`
    the new file survives a power cut as well.
    """
    path = os.fspath(name)
    place, last = os.path.split(path)
    temporary = os.path.join(place, f"{last.partition('.')[0]}.tmp")  # noqa: PTH118  (twice as fast)
    fd = os.open(temporary, _FLAGS, 0o600, dir_fd=directory)
    try:
        left = data
        while left:
            left = left[os.write(fd, left) :]
        if lasting:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, path, src_dir_fd=directory, dst_dir_fd=directory)
    if lasting and directory is not None:
        os.fsync(directory)
    elif lasting:
        sync_path(place or ".")


def sync_path(path: Path | str) -> None:
    """Put a file, or the names in a directory, on the disk."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
