"""What may not be read, where a call goes on without it.

A key pair may be allowed to read content and not tags, or to list and not to look at single
objects. A question on the side that is refused is no reason to fail what is allowed; so that
nobody takes "may not be read" for "is not there", the log says it, once for each kind.
"""

import logging

from tagfs.errors import AccessDenied, BadCredentials

log = logging.getLogger(__name__)


class Denials:
    """Passes refusals over, and says each kind of them once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def pass_over(self, what: str, error: AccessDenied) -> None:
        """Go on without `what`, which is all that the log says besides the error.

        Raises:
            BadCredentials: the key pair itself is refused, which is no matter of rights.
        """
        if isinstance(error, BadCredentials):
            raise error
        if what not in self._said:
            self._said.add(what)
            log.warning("%s (said once): %s", what, error)
        else:
            log.debug("%s: %s", what, error)
