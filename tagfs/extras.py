"""What is not installed with tagfs unless it is asked for, and how it is added.

The hint names the library itself, into the environment that tagfs runs in: a name that nobody but
its authors has, whatever a package index may offer under ours.
"""

import sys
from pathlib import PurePath
from typing import Final

DISTRIBUTION: Final = "tagfs-mount"
"""What this is called among packages; `tagfs` is another project's name there."""

EMULATOR: Final = "aiohttp"
LIBFUSE3: Final = "mfusepy"
METRICS: Final = "prometheus-client"


def how_to_add(library: str, prefix: str = sys.prefix) -> str:
    """Return the command that adds a library to the environment `prefix`, ours if none is named."""
    place = PurePath(prefix)
    if place.parent.name == "venvs" and "pipx" in place.parts:
        return f"pipx inject {place.name} {library}"
    return f"{place}/bin/python -m pip install {library}"
