"""D1, F1. Two mounts of one bucket while requests fail: `tests/soak/hosts.py`, for some seconds."""

import time
from pathlib import Path

from tests.emulated import Emulator
from tests.soak.hosts import run_hosts

SECONDS = 5.0
LEAST = 50


def test_what_one_host_closed_another_reads(service: Emulator, tmp_path: Path) -> None:
    end = time.monotonic() + SECONDS
    steps, faults, problems = run_hosts(service, tmp_path, 1, lambda: time.monotonic() < end)
    assert problems == []
    assert steps > LEAST
    assert faults > 0
