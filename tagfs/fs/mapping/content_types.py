"""Content-Type: which one a name has, and whether a user chose the one that an object has."""

import functools
import mimetypes
from pathlib import Path
from typing import Final

from tagfs.fs.mapping.paths import split
from tagfs.fs.mapping.temp_names import destination

CONTENT_TYPE: Final = "content-type"

UNCHOSEN: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What services say of objects for which nobody chose a type."""

_PACKED: Final = {
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".Z": "application/x-compress",
}

_BACKUP: Final = "application/x-trash"  # Debian's word for .bak and .old: the type stays as it was


def by_name(path: str) -> str | None:
    """Return the type that a file's name stands for, as this host knows names; None for no type.

    A temporary name stands for the one that the file is about to be renamed to.
    """
    name = split(destination(path) or path)[1].lstrip(".")
    ending = name[name.rfind(".") :] if "." in name else ""
    known = _known()
    return known.get(ending) or known.get(ending.lower())


def is_chosen(content_type: str, path: str) -> bool:
    """Tell whether a user chose the type of the object at `path`, rather than its name."""
    return content_type not in UNCHOSEN and content_type != by_name(path)


@functools.cache
def _known() -> dict[str, str]:
    """Return the types by ending: Python's, then what the host's mime.types files say."""
    files = [name for name in mimetypes.knownfiles if Path(name).is_file()]
    known = _PACKED | mimetypes.MimeTypes(files).types_map[True]
    return {ending: kind for ending, kind in known.items() if kind != _BACKUP}
