"""Going to the background, and reporting to the foreground how it went.

The fork comes first: threads, pools and locks that were made before it would be gone in the child.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

READY = b"\0"


def run_in_background(work: Callable[[Callable[[], None]], None]) -> None:
    """Run `work(ready)` in a child; return when it called `ready`, exit 1 when it failed before.

    `work` raises what is wrong; its message is written to stderr here, where a user reads it.
    Ctrl-C until then ends the child too, and is waited for.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a child is never left unknown
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(work, writer)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            reported = pipe.read()
        if reported == READY:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # or it could say 130 of what is mounted
            return
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)  # its session is its own: no terminal tells it
        os.waitpid(child, 0)
        raise
    message = reported.decode("utf-8", "replace").strip() or "it ended before it was mounted"
    sys.stderr.write(f"tagfs: {message}\n")
    sys.exit(1)


def _inherited() -> list[int]:
    """Return the descriptors that whoever started this program has left open, but for the first 3.

    Python's own are not inherited by what it runs, and what it has inherited is marked so.
    """
    found = (int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208  (names alone)
    return [number for number in found if number > 2 and _passed_on(number)]  # noqa: PLR2004


def _passed_on(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # the one by which they were listed
        return False


def _child(work: Callable[[Callable[[], None]], None], writer: int) -> NoReturn:
    status = 1
    reported = False
    inherited: list[int] = []

    def report(message: bytes) -> None:
        nonlocal reported
        if not reported:
            reported = True
            with contextlib.suppress(BrokenPipeError):  # nobody waits any more; it goes on, or ends
                os.write(writer, message)
            os.close(writer)

    def ready() -> None:
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        for descriptor in inherited:  # a lock or a pipe of the caller's, who would wait for it
            os.close(descriptor)
        report(READY)

    try:
        inherited += _inherited()
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        work(ready)
        status = 0
    except BaseException as error:  # noqa: BLE001  (whatever it is, the parent reports it)
        report(str(error).encode())
    finally:
        os._exit(status)
