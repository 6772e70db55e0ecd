"""Work that nobody waits for."""

import logging
from collections.abc import Callable

from tagfs.errors import TagfsError

log = logging.getLogger(__name__)


def quietly(work: Callable[[], object]) -> None:
    """Do something for which nobody waits: who asks for it gets the error."""
    try:
        work()
    except TagfsError as error:
        log.debug("not fetched ahead: %s", error)
