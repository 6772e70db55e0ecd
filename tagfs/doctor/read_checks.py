"""Which rights the credentials have: each is tried by the request that needs it.

Reading is tried on the first object that is listed, or on one that is never there: the answer "no
such key" tells of the right as well. Writing is in `scratch`.
"""

from collections.abc import Callable, Iterator

from tagfs.doctor.findings import Finding, fail, ok, warning
from tagfs.doctor.policy_actions import ACTIONS, NEEDED_FOR
from tagfs.errors import AccessDenied, Archived, NotFound, TagfsError, Unsupported
from tagfs.store.client.client import Client
from tagfs.store.client.delete_rights import NO_OBJECT

_LESSER = frozenset({"bucket tagging"})
"""Rights that a mount can do without."""


def check_rights(client: Client, prefix: str) -> Iterator[Finding]:
    """Yield what may be read; the right to list was shown before."""
    listed = [entry.key for entry in client.list(prefix, delimiter="", limit=10).objects]
    key = next((name for name in listed if not name.endswith("/")), prefix + NO_OBJECT)
    service = client.dialect.service
    yield attempt(service, "head", lambda: client.head(key))
    yield attempt(service, "get", lambda: client.get(key, 0, 1))
    yield attempt(service, "get tagging", lambda: client.get_tags(key))
    yield attempt(service, "bucket tagging", client.get_bucket_tags)


def attempt(service: str, right: str, call: Callable[[], object]) -> Finding:
    """Return what a call says of a right."""
    check = f"right to {right}"
    try:
        call()
    except (NotFound, Archived):
        return ok(check, "given (there is nothing to try it on)")
    except Unsupported as error:
        return warning(check, "the bucket cannot do it", str(error))
    except AccessDenied as error:
        action = ACTIONS[service][right]
        advice = f"allow {action}: {NEEDED_FOR[right]} ({error})"
        return (warning if right in _LESSER else fail)(check, "missing", advice)
    except TagfsError as error:
        return fail(check, "it did not work", str(error))
    return ok(check, "given")
