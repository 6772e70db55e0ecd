"""How far options go that commands have as well as mounts."""

from typing import Final

MAX_PARALLEL: Final = 1024
"""Requests at once."""
