"""Many changes made at once: each is tried, whatever becomes of the others."""

import functools
from collections.abc import Callable, Iterator, Sequence

from tagfs.fs.pending.change import Change
from tagfs.fs.pending.threads import ChangeThreads


def try_all(
    changes: Sequence[Change], threads: ChangeThreads, make: Callable[[Change], None]
) -> Iterator[tuple[Change, Exception]]:
    """Make changes in their threads; yield what fails, as soon as it is known."""
    tries = [threads.submit(c.kind, functools.partial(_failure_of, make, c)) for c in changes]
    for change, done in zip(changes, tries, strict=True):
        error = done.result()
        if error is not None:
            yield change, error


def _failure_of(make: Callable[[Change], None], change: Change) -> Exception | None:
    try:
        make(change)
    except Exception as error:  # noqa: BLE001  (whoever asked for it raises or logs it)
        return error
    return None
