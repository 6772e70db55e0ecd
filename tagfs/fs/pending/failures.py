"""What becomes of a change that fails: when it is tried again, and how that is logged."""

import logging

from tagfs.errors import TagfsError
from tagfs.fs.pending.change import Change, Kind

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds before a change that failed is tried again: at first, and at most."""

LEVELS = {
    Kind.DELETE: logging.WARNING,
    Kind.ATTRIBUTES: logging.ERROR,
    Kind.UPLOAD: logging.INFO,
    Kind.SYNC: logging.WARNING,
}
"""How the first failure is logged that nobody waits for; the change is tried again. A file that
is not uploaded says itself where it is kept."""


def retry_delay(failures: int) -> float:
    """Return the seconds until a change is tried again that failed so often in a row."""
    return min(LAST_RETRY, FIRST_RETRY * float(2 ** min(failures - 1, 9)))


def log_failure(change: Change, error: Exception, *, is_over: bool) -> None:
    """Log a failure that no program hears of."""
    level = LEVELS[change.kind]
    if not isinstance(error, TagfsError):
        log.error("%s: %s: a bug in tagfs", change.path, change.kind.value, exc_info=error)
    elif is_over:
        level = max(level, logging.ERROR) if level > logging.INFO else level
        log.log(level, "%s: %s: %s", change.path, change.kind.value, error)
    else:
        level = level if change.failures == 1 else logging.DEBUG
        log.log(level, "%s: %s yet: %s", change.path, change.kind.value, error)
