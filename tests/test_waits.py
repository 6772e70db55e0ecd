"""No test sleeps by itself: what comes by itself is polled for; `tests.waiting` has the rest."""

import ast
from pathlib import Path

HERE = Path(__file__).parent

SLEEPERS = {
    "waiting.py": "the helpers",
    "fakes/clock.py": "polls",
    "ceph.py": "polls daemons",
    "service/bulk/test_many.py": "polls a log until it grows no more",
    "filesystem/test_filesystem.py": "a slow request",
    "unit/fuse/test_caller.py": "a slow look",
    "unit/bulk/test_parts.py": "slow work",
    "mount/posix/test_attributes.py": "the grain of the kernel's clock",
    "mount/test_startup.py": "a user's fingers",
}
"""Modules that call time.sleep, and for what; those of the bench and of the soak run for long."""

APART = ("bench/", "soak/")


def sleeps(source: str) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(ast.unparse(call) in ("time.sleep", "sleep") for call in calls)


def test_who_sleeps_says_why() -> None:
    found = set()
    for path in HERE.rglob("*.py"):
        text = path.read_text()
        name = path.relative_to(HERE).as_posix()
        if "sleep(" in text and not name.startswith(APART) and sleeps(text):
            found.add(name)
    assert found == set(SLEEPERS), "poll (wait_for), move a FakeClock on, or use tests.waiting"


def test_what_is_a_sleep() -> None:
    assert sleeps("time.sleep(1)")
    assert sleeps("from time import sleep\nsleep(0.1)")
    assert not sleeps("run('time.sleep(1)')")
