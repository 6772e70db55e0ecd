"""Names that tools give to a file while they write it; pure."""

import re

from tagfs.fs.mapping.paths import join, split

_NAME = re.compile(r"\.(.+)\.[A-Za-z0-9]{6}")


def destination(path: str) -> str | None:
    """Return the path that a temporary file is about to be renamed to; None if it is none."""
    parent, name = split(path)
    match = _NAME.fullmatch(name)
    return join(parent, match[1]) if match else None
