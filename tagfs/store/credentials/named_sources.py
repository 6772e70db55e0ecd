"""Sources that a user named: if one has nothing, that is an error, and nobody else is asked.

To pass one over would be to act as another user, with other rights and in another's name.
"""

from tagfs.errors import BadCredentials
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.values import Credentials, NotAvailable, Source


class Named:
    """Places of which one was named, and which one of them has to have."""

    def __init__(self, by: str, *sources: Source) -> None:
        """`by` is how they were named, such as "AWS_PROFILE=prod"."""
        self._by = by
        self._sources = sources
        self._found = sources[0]

    @property
    def name(self) -> str:
        """The source's that had a pair."""
        return self._found.name

    def load(self) -> Credentials:
        """Ask one after the other; see `Source.load`."""
        reasons = []
        for source in self._sources:
            try:
                found = source.load()
            except NotAvailable as absent:
                reasons.append(str(absent))
            else:
                self._found = source
                return found
        raise BadCredentials(f"{self._by}: no credentials in {' or '.join(reasons)}")


def of_machine(around: Surroundings, role: Source, where: str) -> Credentials:
    """Return the pair of the machine's role, where a file says that it is to be used.

    Raises:
        BadCredentials: there is none, or none may be asked for.
    """
    if not around.instance_role:
        raise BadCredentials(f"{where} names the machine's role, which instance_role=off forbids")
    try:
        return role.load()
    except NotAvailable as absent:
        reason = str(absent)
    raise BadCredentials(f"{where} names the machine's role: {reason}")
