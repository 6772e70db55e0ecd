"""The address of a bucket and the connections to it, exchanged together when a service asks."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.connection_pool import ConnectionPool
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.messages import Response
from tagfs.store.http.relocation import relocated
from tagfs.store.http.retry import RetryState

logger = logging.getLogger(__name__)


class Site(NamedTuple):
    """An address and the connections to it: one attempt uses both of the same site."""

    endpoint: Endpoint
    connections: ConnectionPool


class Sites:
    """Where a bucket is by now. Thread-safe.

    Attributes:
        current: the site for whatever is asked next.
    """

    def __init__(
        self, dialect: Dialect, endpoint: Endpoint, connect: Callable[[Endpoint], ConnectionPool]
    ) -> None:
        self.current = Site(endpoint, connect(endpoint))
        self._dialect = dialect
        self._connect = connect
        self._moving = threading.Lock()

    def follow(self, course: RetryState, asked: Site, answer: Response) -> bool:
        """Go on where an answer says that the bucket is; say whether another attempt is due."""
        moved = None if course.moved else relocated(asked.endpoint, self._dialect, answer)
        if moved is None:
            return False
        course.moved = True
        with self._moving:
            if self.current is asked:  # else another thread has moved
                logger.warning("%s; going on at %s", answer, moved)
                self.current = Site(moved, self._connect(moved))
                asked.connections.close()
        return True

    def close(self) -> None:
        """Give back the connections."""
        with self._moving:
            self.current.connections.close()
