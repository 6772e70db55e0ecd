"""A read that takes unusually long is asked a second time, and the first answer counts."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tagfs.errors import ObjectChanged, Unreachable
from tagfs.fs.content.hedged_reads import AT_ONCE, LEAST, SAMPLES, SHARE, HedgedReads
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.store.objects import Content, ObjectInfo

SIZE = 1000
INFO = ObjectInfo(key="f", size=SIZE, etag='"1"', last_modified_ns=0)
PATIENT = 30
"""Seconds until a test gives up."""


def content(data: bytes) -> Content:
    return Content(INFO, 0, data)


class Slow:
    """A read whose answers come when the test lets them."""

    def __init__(self) -> None:
        self.outcomes: list[bytes | Exception] = [b"", b""]
        self.gates = [threading.Event(), threading.Event()]
        self.asked = [threading.Event(), threading.Event()]
        self._turn = count()

    def __call__(self) -> Content:
        turn = next(self._turn)
        self.asked[turn].set()
        assert self.gates[turn].wait(PATIENT)
        outcome = self.outcomes[turn]
        if isinstance(outcome, Exception):
            raise outcome
        return content(outcome)

    def answer(self, turn: int, outcome: bytes | Exception) -> None:
        self.outcomes[turn] = outcome
        self.gates[turn].set()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as executor:
        yield executor


@pytest.fixture
def hedged(executor: ThreadPoolExecutor) -> HedgedReads:
    """Reads of a mount that has measured enough of them."""
    reads = HedgedReads(executor, MemoryBudget(100 * SIZE))
    for _ in range(SAMPLES):
        reads.read(SIZE, lambda: content(b"quick"))
    return reads


def asked_twice(hedged: HedgedReads) -> int:
    return hedged.state()["hedged_reads"]


def test_nothing_is_asked_twice_before_enough_was_measured(executor: ThreadPoolExecutor) -> None:
    hedged = HedgedReads(executor, MemoryBudget(100 * SIZE))
    threads = []

    def ask() -> Content:
        threads.append(threading.current_thread())
        return content(b"")

    for _ in range(SAMPLES - 1):
        hedged.read(SIZE, ask)
    assert set(threads) == {threading.current_thread()}


def test_what_is_quick_is_asked_once(hedged: HedgedReads) -> None:
    assert hedged.read(SIZE, lambda: content(b"quick")).data == b"quick"
    assert hedged.state() == {"hedged_reads": 0, "hedged_reads_won": 0}


BOTH_FAIL = Unreachable("first")


@pytest.mark.parametrize(
    ("order", "outcomes", "expected", "won"),
    [
        ((1, 0), (b"first", b"second"), b"second", 1),
        ((0, 1), (b"first", b"second"), b"first", 0),
        ((0, 1), (Unreachable("first"), b"second"), b"second", 1),
        ((1, 0), (b"first", Unreachable("second")), b"first", 0),
        ((1, 0), (b"first", ObjectChanged("f")), b"first", 0),
        ((0, 1), (BOTH_FAIL, Unreachable("second")), BOTH_FAIL, 0),
        ((1, 0), (BOTH_FAIL, Unreachable("second")), BOTH_FAIL, 0),
    ],
)
def test_the_first_answer_counts(
    hedged: HedgedReads,
    executor: ThreadPoolExecutor,
    order: tuple[int, int],
    outcomes: tuple[bytes | Exception, bytes | Exception],
    expected: bytes | Exception,
    won: int,
) -> None:
    slow = Slow()
    reading = executor.submit(hedged.read, SIZE, slow)
    assert slow.asked[1].wait(PATIENT)
    early, late = order
    slow.answer(early, outcomes[early])
    if not isinstance(outcomes[early], Exception):
        assert reading.result(PATIENT).data == expected  # the other is not waited for
    slow.answer(late, outcomes[late])
    error = reading.exception(PATIENT)
    if isinstance(expected, Exception):
        assert error is expected
    else:
        assert error is None
        assert reading.result().data == expected
    assert hedged.state() == {"hedged_reads": 1, "hedged_reads_won": won}


def test_an_error_that_comes_soon_is_raised_and_not_asked_about(hedged: HedgedReads) -> None:
    def ask() -> Content:
        raise ObjectChanged("f")

    with pytest.raises(ObjectChanged):
        hedged.read(SIZE, ask)
    assert asked_twice(hedged) == 0


def once(hedged: HedgedReads, executor: ThreadPoolExecutor, *, twice: bool) -> None:
    """Let one read be slow, and see whether it was asked twice."""
    slow, before = Slow(), asked_twice(hedged)
    reading = executor.submit(hedged.read, SIZE, slow)
    if twice:
        assert slow.asked[1].wait(PATIENT)
        slow.answer(1, b"second")
    else:
        assert slow.asked[0].wait(PATIENT)
        assert not slow.asked[1].wait(4 * LEAST)  # waits for what must not happen
    slow.answer(0, b"first")
    reading.result(PATIENT)
    assert asked_twice(hedged) == before + twice


@pytest.mark.slow
def test_an_ill_service_is_asked_a_small_share_twice(
    hedged: HedgedReads, executor: ThreadPoolExecutor
) -> None:
    for _ in range(AT_ONCE):
        once(hedged, executor, twice=True)
    once(hedged, executor, twice=False)
    for _ in range(round(1 / SHARE)):
        hedged.read(SIZE, lambda: content(b"quick"))
    once(hedged, executor, twice=True)


@pytest.mark.slow
def test_bytes_of_the_second_answer_are_of_the_budget(
    executor: ThreadPoolExecutor, hedged: HedgedReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget(SIZE)
    monkeypatch.setattr(hedged, "_budget", budget)
    slow = Slow()
    reading = executor.submit(hedged.read, SIZE, slow)
    assert slow.asked[1].wait(PATIENT)
    assert budget.used == SIZE
    once(hedged, executor, twice=False)  # there is no room for another
    slow.answer(0, b"first")
    reading.result(PATIENT)
    assert budget.used == SIZE, "the second answer is still to come"
    slow.answer(1, b"second")
    executor.shutdown()
    assert budget.used == 0


@pytest.mark.parametrize(
    ("taken", "unusual"),
    [(0.001, LEAST), (2.0, 2.0)],
    ids=["of a near service", "of one that is far"],
)
def test_what_is_unusual_is_measured(
    executor: ThreadPoolExecutor, taken: float, unusual: float
) -> None:
    clock = [0.0]
    hedged = HedgedReads(executor, MemoryBudget(100 * SIZE), lambda: clock[0])

    def ask(seconds: float) -> Callable[[], Content]:
        def answer() -> Content:
            clock[0] += seconds
            return content(b"")

        return answer

    for _ in range(SAMPLES):
        hedged.read(SIZE, ask(taken))
    assert hedged._times_of(SIZE).unusual == pytest.approx(unusual)
    assert hedged._times_of(100 * SIZE).unusual is None  # larger ones are other reads
