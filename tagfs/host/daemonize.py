"""Going to the background, and reporting to the foreground how it went.

The fork comes first: threads, pools and locks that were made before it would be gone in the child.
"""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

READY = b"\0"


def run_in_background(work: Callable[[Callable[[], None]], None]) -> None:
    """Run `work(ready)` in a child; return when it called `ready`, exit 1 when it failed before.

    `work` raises what is wrong; its message is written to stderr here, where a user reads it.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        os.close(reader)
        _child(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        reported = pipe.read()
    if reported == READY:
        return
    message = reported.decode("utf-8", "replace").strip() or "it ended before it was mounted"
    sys.stderr.write(f"tagfs: {message}\n")
    sys.exit(1)


def _child(work: Callable[[Callable[[], None]], None], writer: int) -> NoReturn:
    status = 1
    reported = False

    def report(message: bytes) -> None:
        nonlocal reported
        if not reported:
            reported = True
            os.write(writer, message)
            os.close(writer)

    def ready() -> None:
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        report(READY)

    try:
        os.setsid()
        work(ready)
        status = 0
    except BaseException as error:  # noqa: BLE001  (whatever it is, the parent reports it)
        report(str(error).encode())
    finally:
        os._exit(status)
