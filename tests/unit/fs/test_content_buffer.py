"""What was read ahead is handed over once, while it is recent, and gives its memory back."""

from collections.abc import Iterator

import pytest

from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.prefetch.content_buffer import ContentBuffer
from tagfs.store.objects import BytesSource, Content, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket


class Kit:
    """A buffer of ten bytes, whose clock stands."""

    def __init__(self) -> None:
        self.now = 100.0
        self.budget = MemoryBudget(10)
        self.buffer = ContentBuffer(self.budget, lambda: self.now)
        bucket = MemoryBucket()
        bucket.put("f", BytesSource(b"12345"), NewObject())
        self.content = bucket.get("f")

    def fill(self, path: str, content: Content | None) -> None:
        future = self.buffer.reserve(path, 5)
        assert future is not None
        future.set_result(content)


@pytest.fixture
def kit() -> Iterator[Kit]:
    kit = Kit()
    yield kit
    kit.buffer.close()


def test_it_is_handed_over_once(kit: Kit) -> None:
    kit.fill("/f", kit.content)
    assert kit.budget.used == 5
    assert kit.buffer.take("/f") is kit.content
    assert kit.buffer.take("/f") is None
    assert kit.budget.used == 0


def test_what_failed_is_nothing(kit: Kit) -> None:
    kit.fill("/f", None)
    assert kit.buffer.take("/f") is None
    assert kit.budget.used == 0


def test_no_room_no_content(kit: Kit) -> None:
    kit.fill("/a", kit.content)
    assert kit.buffer.reserve("/a", 5) is None  # here already
    kit.fill("/b", kit.content)
    assert kit.buffer.reserve("/c", 1) is None
    assert kit.budget.used == 10


def test_what_is_old_is_not_handed_over(kit: Kit) -> None:
    kit.fill("/a", kit.content)
    kit.fill("/b", kit.content)
    kit.now += FRESH_WITHIN
    assert kit.buffer.take("/a") is kit.content
    kit.now += 0.1
    assert kit.buffer.take("/b") is None
    assert kit.budget.used == 0


def test_what_nobody_came_for_gives_its_memory_back(kit: Kit) -> None:
    kit.fill("/old", kit.content)
    kit.now += FRESH_WITHIN + 0.1
    kit.fill("/new", kit.content)
    kit.buffer.sweep()
    assert kit.budget.used == 5
    assert kit.buffer.take("/new") is kit.content
