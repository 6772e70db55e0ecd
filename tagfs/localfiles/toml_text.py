"""TOML, as the files have it that people write for us."""

import tomllib
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a text says.

    Raises:
        ValueError: it is not TOML; says where, or why.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("too many brackets in one another") from None
