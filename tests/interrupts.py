"""Ctrl-C at many moments of a command: what its process says, and how it ends.

A process is struck once `tagfs.__main__.main` imports something: what is before is Python's own.
The moments are spread over the time that the command takes undisturbed, on whatever machine.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.waiting import FAR, wait_for

_BEGIN = """
import os, sys
from tagfs.__main__ import main

class Announcer:
    def find_spec(self, *_arguments):
        sys.meta_path.remove(self)
        os.close(writer)

writer = int(sys.argv[1])
sys.argv = ["tagfs", *sys.argv[2:]]
sys.meta_path.insert(0, Announcer())
main()
"""

ENDED = {130, -signal.SIGINT}
"""How what was interrupted ends: by itself, or as Python was taking it down."""


@dataclass(frozen=True, slots=True)
class End:
    """How a command ended.

    Attributes:
        seconds: how long it took.
    """

    status: int
    stderr: str
    seconds: float


def run(
    *words: str,
    env: Mapping[str, str] | None = None,
    after: float = FAR,
    when: Callable[[], object] | None = None,
) -> End:
    """Run a command and strike its group after so many seconds, or when a condition holds."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN, str(writer), *words],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        start_new_session=True,
        text=True,
    )
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    began = time.monotonic()
    if when is not None:
        wait_for(lambda: when() or process.poll() is not None)
        after = 0
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=FAR)
    return End(process.returncode, said, time.monotonic() - began)


def spread(*words: str, moments: int, env: Mapping[str, str] | None = None) -> Iterator[End]:
    """Run a command, interrupted at so many moments; the first one that comes is undisturbed."""
    first = run(*words, env=env)
    yield first
    for number in range(moments):
        yield run(*words, env=env, after=first.seconds * number / moments)
