"""The signals of a mount: waited for in a thread of its own.

libfuse's loop keeps the main thread inside a C call, where no Python handler would run; so the
signals are blocked in every thread and one thread waits for them (sigwait(3)).
"""

import logging
import signal
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

Actions = Mapping[signal.Signals, Callable[[], None]]


def watch(actions: Actions) -> None:
    """Call an action whenever its signal comes, from now on.

    Must be called before any thread is started: a thread that does not block a signal could be
    ended by it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, list(actions))
    threading.Thread(target=_wait, args=(actions,), name="tagfs-signals", daemon=True).start()


def _wait(actions: Actions) -> None:
    while True:
        number = signal.Signals(signal.sigwait(list(actions)))
        try:
            actions[number]()
        except Exception:
            log.exception("%s: a bug in tagfs", number.name)
