"""Mounts of tagfs on this host: which one a path is on, what it shows, and telling it to forget.

The kernel's mount table finds them; each one tells of itself by `user.tagfs.status` on its root.
"""

import json
import logging
import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tagfs.config.options import REACHING
from tagfs.config.settings import BucketUrl, Settings, parse_options, parse_url
from tagfs.errors import SettingsError
from tagfs.fs.mapping.paths import Root
from tagfs.fuse.mountinfo import MountPoint, read_mountinfo

log = logging.getLogger(__name__)

STATUS: Final = "user.tagfs.status"
REFRESH: Final = "user.tagfs.refresh"
_TYPE: Final = "fuse.tagfs"


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table: where, what it says that it shows, and the kernel's flags."""

    path: str
    source: str
    flags: frozenset[str] = field(default=frozenset(), compare=False)

    def holds(self, path: str) -> bool:
        """Say whether an absolute path is the mountpoint or below it."""
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")

    def below(self, path: str) -> str:
        """Return a path of this mount as the file system sees it, beginning with "/"."""
        return "/" + path[len(self.path.rstrip("/")) :].strip("/")


def tagfs_mounts(table: Iterable[MountPoint]) -> list[Mount]:
    """Return those of tagfs, the uppermost of a place last."""
    return [Mount(line.path, line.source, line.flags) for line in table if line.kind == _TYPE]


def present_mounts() -> list[Mount]:
    """Return the tagfs mounts that this process sees."""
    return tagfs_mounts(read_mountinfo())


def find_mount(path: str, mounts: list[Mount]) -> Mount | None:
    """Return the mount that an absolute path is on."""
    holding = [mount for mount in mounts if mount.holds(path)]
    return max(holding, key=lambda mount: len(mount.path), default=None)


def ask_settings(mount: Mount) -> Settings:
    """Return how to reach the service that a mount shows, as the mount tells it.

    Raises:
        SettingsError: the mount does not answer, or tells what is no option here.
    """
    try:
        status = json.loads(os.getxattr(mount.path, STATUS))
        url = parse_url(status["url"])
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(
            f"{mount.path}: the mount does not tell what it shows: {error}"
        ) from None
    return parse_options(url, {name: value for name in REACHING if (value := status.get(name))})


def ask_catalogue(mount: Mount) -> dict[str, str]:
    """Return the options that say where a mount keeps what it learns; none if it does not tell."""
    status = ask_status(mount)
    known = {"cache_dir", "catalogue"} <= status.keys()
    return {name: str(status[name]) for name in ("cache_dir", "catalogue")} if known else {}


def ask_status(mount: Mount) -> dict[str, Any]:
    """Return what a mount tells of itself; nothing if it does not tell (to others)."""
    try:
        status = json.loads(os.getxattr(mount.path, STATUS))
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def refresh(url: BucketUrl, directory: str) -> None:
    """Let every mount of a bucket on this host forget what it remembers of a directory's keys.

    `directory` is a prefix ("" or ending in "/"). What is out of reach expires by itself, after its
    `tag_ttl`.
    """
    for mount in present_mounts():
        try:
            shown = parse_url(mount.source)
        except SettingsError:
            continue
        if (shown.service, shown.bucket) == (url.service, url.bucket):
            _refresh(mount, shown.prefix, directory)


def _refresh(mount: Mount, prefix: str, directory: str) -> None:
    if not directory.startswith(prefix) and not prefix.startswith(directory):
        return
    path = Root(prefix).to_path(directory) if directory.startswith(prefix) else "/"
    while path is not None:
        try:
            os.setxattr(posixpath.join(mount.path, path[1:]), REFRESH, b"")
        except OSError as error:
            log.debug("%s%s cannot be asked to forget: %s", mount.path, path, error)
            path = posixpath.dirname(path) if path != "/" else None
        else:
            return
