"""What stat(2) and statfs(2) are answered: pure."""

from typing import Final

from tagfs.fs.mapping.posix_metadata import Attributes

Stat = dict[str, int]
"""Fields of struct stat; times in nanoseconds since the epoch."""

BLOCK: Final = 4096

HUGE: Final = 2**40
"""Blocks that statfs reports: a bucket has no size."""


def to_stat(attributes: Attributes, size: int, *, links: int, ino: int) -> Stat:
    """Return the stat of something of `size` bytes that has as many names as `links`."""
    return {
        "st_ino": ino,
        "st_mode": attributes.mode,
        # A directory's link count of 1 keeps find(1) from guessing how many directories it holds.
        "st_nlink": links,
        "st_uid": attributes.uid,
        "st_gid": attributes.gid,
        "st_size": size,
        "st_blocks": (size + 511) // 512,
        "st_rdev": attributes.rdev,
        "st_atime": attributes.atime_ns,
        "st_mtime": attributes.mtime_ns,
        "st_ctime": attributes.ctime_ns,
    }


def statfs_fields() -> dict[str, int]:
    """Return numbers that let every program believe that there is room."""
    return {
        "f_bsize": BLOCK,
        "f_frsize": BLOCK,
        "f_blocks": HUGE,
        "f_bfree": HUGE,
        "f_bavail": HUGE,
        "f_files": HUGE,
        "f_ffree": HUGE,
        "f_favail": HUGE,
        "f_namemax": 255,
    }
