"""Names of objects that are made or deleted only to see what a service does."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tagfs.errors import Interrupted, Unreachable
from tagfs.store.client.api import logger

TRIAL: Final = ".tagfs-trial-"
"""How they begin, after the directory."""

_RANDOM_BYTES = 6


def unused_key(key: str) -> str:
    """Return a key beside `key` that nobody uses: another one at each call.

    A name that is always the same could be a user's object, and what is tried there would
    overwrite or delete it.
    """
    directory = key[: key.rfind("/") + 1]
    return f"{directory}{TRIAL}{secrets.token_hex(_RANDOM_BYTES)}"


@contextmanager
def lost_answers_logged(trial: str) -> Iterator[None]:
    """Log that an object may be there where no answer came: nothing else will delete it."""
    try:
        yield
    except (Interrupted, Unreachable):
        logger.warning("%r, an object made on trial, may stay behind", trial)
        raise
