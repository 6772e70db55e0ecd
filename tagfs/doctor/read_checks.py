"""Which rights the credentials have: each is tried by the request that needs it.

Reading is tried on the first object that is listed, or on one that is never there: the answer "no
such key" tells of the right as well. Writing is in `scratch`.
"""

from collections.abc import Callable, Iterator

from tagfs.doctor.findings import Finding, Level, fail, ok, warning
from tagfs.doctor.policy_actions import ACTIONS, NEEDED_FOR
from tagfs.errors import AccessDenied, Archived, NotFound, TagfsError, Unsupported
from tagfs.store.client.client import Client
from tagfs.store.client.deletes.rights import NO_OBJECT

_LESSER = frozenset({"bucket tagging", "get tagging"})
"""Rights without which files are still shown and read."""


def check_rights(client: Client, prefix: str) -> Iterator[Finding]:
    """Yield what may be read; whether the bucket may be listed was shown before."""
    service = client.dialect.service
    try:
        listed = [entry.key for entry in client.list(prefix, delimiter="", limit=10).objects]
    except AccessDenied:
        yield from _rights_unlisted(client, prefix + NO_OBJECT)
    else:
        key = next((name for name in listed if not name.endswith("/")), prefix + NO_OBJECT)
        for right, call in _readings(client, key):
            yield attempt(service, right, call)
    yield attempt(service, "bucket tagging", client.get_bucket_tags)


def _readings(client: Client, key: str) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "head", lambda: client.head(key)
    yield "get", lambda: client.get(key, 0, 1)
    yield "get tagging", lambda: client.get_tags(key)


def _rights_unlisted(client: Client, absent: str) -> Iterator[Finding]:
    """Yield what may be read where nothing may be listed: there is no object to try it on.

    S3 tells nobody who may not list that a key is absent: 403 says nothing of the right then.
    """
    for right, call in _readings(client, absent):
        found = attempt(client.dialect.service, right, call)
        if found.level is not Level.OK:
            advice = "without the right to list there is no object to try it on"
            found = warning(found.check, "not known", advice)
        yield found


def attempt(service: str, right: str, call: Callable[[], object]) -> Finding:
    """Return what a call says of a right."""
    check = f"right to {right}"
    try:
        call()
    except (NotFound, Archived):
        return ok(check, "not refused; there is nothing to try it on")
    except Unsupported as error:
        return warning(check, "the bucket cannot do it", str(error))
    except AccessDenied as error:
        action = ACTIONS[service][right]
        advice = f"allow {action}: {NEEDED_FOR[right]} ({error})"
        return (warning if right in _LESSER else fail)(check, "missing", advice)
    except TagfsError as error:
        return fail(check, "it did not work", str(error))
    return ok(check, "given")
