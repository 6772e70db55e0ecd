"""Memory that readers need again and again is not asked of the kernel again, and is given back."""

import json
import subprocess
import sys

import pytest

from tagfs.fs.content.memory_budget import MUCH, MemoryBudget

SCRIPT = """
import json, resource, time
from tagfs.host import malloc

MIB = 2**20

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def read_on():
    held = []
    for _ in range(64):  # 256 MiB in ranges, of which eight are in use
        held = [*held[-7:], b"x" * (4 * MIB)]

malloc.keep_little()
read_on()
before = faults()
read_on()
again, kept = faults() - before, resident()
malloc.SOON = 0.0
malloc.trim_soon()
deadline = time.monotonic() + 60
while resident() > kept - 16 * MIB and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps([again, kept - resident()]))
"""


@pytest.mark.slow
def test_buffers_are_used_again_and_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=120
    )
    again, returned = json.loads(done.stdout)
    assert again < 10_000  # of 65,536 pages, had each buffer been a mapping of its own
    assert returned >= 16 * 2**20


@pytest.mark.parametrize(("taken", "said"), [((MUCH,), 1), ((MUCH // 2,) * 2, 1), ((100, 100), 0)])
def test_it_is_said_when_much_was_used_and_nothing_is(taken: tuple[int, ...], said: int) -> None:
    calls: list[int] = []
    budget = MemoryBudget(2 * MUCH, lambda: calls.append(budget.used))
    for _ in range(2):
        for size in taken:
            budget.take(size)
        for size in taken:
            budget.give_back(size)
    assert calls == [0] * said * 2
