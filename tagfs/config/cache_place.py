"""Where staged files and the index are kept unless the user chose."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tagfs.localfiles.trusted import home

SYSTEM_CACHE: Final = Path("/var/cache/tagfs")


def _is_own(directory: Path) -> bool:
    """Say whether a directory is of this root, and not of the host's around a user namespace."""
    try:
        return directory.stat().st_uid == os.getuid()
    except OSError:
        return True


def default_cache_dir(environment: Mapping[str, str]) -> Path:
    """Return where staged files are kept unless the user chose: private to one user."""
    if os.getuid() == 0 and _is_own(SYSTEM_CACHE.parent):
        return SYSTEM_CACHE
    base = environment.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "tagfs"
    own = home(environment)
    return own / ".cache" / "tagfs" if own else Path(f"/var/tmp/tagfs-{os.getuid()}")  # noqa: S108
