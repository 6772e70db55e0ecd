"""How long a command takes to start: the help of each, which does nothing else."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tagfs.cli import COMMANDS

RUNS = 5
PROGRAM = Path(sys.executable).with_name("tagfs")


def measure() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each command and the medians of its CPU seconds ("CPU s") and seconds ("s").

    Python alone comes first: no command can take less.
    """
    yield "python -c pass", _start([sys.executable, "-c", "pass"])
    yield "tagfs --version", _start([str(PROGRAM), "--version"])
    yield "tagfs --help", _start([str(PROGRAM), "--help"])
    for name in sorted(COMMANDS):
        yield f"tagfs {name} --help", _start([str(PROGRAM), name, "--help"])


def _start(command: list[str]) -> dict[str, float]:
    _once(command)  # what it reads is in memory from now on
    runs = [_once(command) for _ in range(RUNS)]
    cpu, wall = (statistics.median(values) for values in zip(*runs, strict=True))
    return {"CPU s": cpu, "s": wall}


def _once(command: list[str]) -> tuple[float, float]:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise OSError(f"{' '.join(command)}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime, seconds
