"""The queue of changes that the service has not yet: each is made once, by who claims it first."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tagfs.errors import AccessDenied, TagfsError, Unreachable
from tagfs.fs.openfiles.pending import FIRST_RETRY, THREADS, Kind, PendingChanges

DELETE = Kind.DELETE


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Act:
    """Something to do, which may be held up or fail."""

    def __init__(self, *failures: Exception | None, held: bool = False) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.calls = 0
        self._failures = list(failures)
        if not held:
            self.go_on.set()

    def __call__(self) -> None:
        self.calls += 1
        self.begun.release()
        assert self.go_on.wait(10)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure

    def has_begun(self, seconds: float = 10) -> bool:
        return self.begun.acquire(timeout=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Iterator[PendingChanges]:
    queue = PendingChanges(clock)
    yield queue
    list(queue.close())


@pytest.fixture
def timed() -> Iterator[PendingChanges]:
    """One whose clock goes."""
    queue = PendingChanges()
    yield queue
    list(queue.close())


def meanwhile(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(0.05)
    return thread


def test_it_is_made_when_it_is_due(timed: PendingChanges) -> None:
    late, soon = Act(), Act()
    timed.add("/late", DELETE, late, 1000)
    timed.add("/soon", DELETE, soon, 0.01)
    assert soon.has_begun()
    until(lambda: timed.find("/soon", DELETE) is None)
    assert timed.find("/late", DELETE) is not None
    assert late.calls == 0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_that_waits_can_be_taken_back(queue: PendingChanges) -> None:
    act = Act()
    queue.add("/f", DELETE, act, 1)
    assert queue.cancel("/f", DELETE)
    assert not queue.cancel("/f", DELETE)
    assert list(queue.close()) == []
    assert act.calls == 0


def test_one_that_has_begun_cannot_and_is_waited_for(timed: PendingChanges) -> None:
    act = Act(held=True)
    timed.add("/f", DELETE, act)
    assert act.has_begun()
    answers: list[bool] = []
    cancelling = meanwhile(lambda: answers.append(timed.cancel("/f", DELETE)))
    assert cancelling.is_alive(), "it is under way"
    act.go_on.set()
    cancelling.join(10)
    assert answers == [False]


def test_settling_waits_as_well(timed: PendingChanges) -> None:
    act = Act(held=True)
    timed.add("/f", DELETE, act)
    assert act.has_begun()
    settling = meanwhile(lambda: timed.flush("/f"))
    assert settling.is_alive()
    act.go_on.set()
    settling.join(10)
    assert act.calls == 1


def test_settling_makes_it_now_and_once(queue: PendingChanges) -> None:
    act, other = Act(), Act()
    queue.add("/d/f", DELETE, act, 1000)
    queue.add("/e", DELETE, other, 1000)
    queue.flush("/d")
    assert act.calls == 0
    queue.flush_below("/d")
    queue.flush("/d/f", DELETE)
    assert (act.calls, other.calls) == (1, 0)


def test_who_settles_hears_of_a_failure_and_it_waits_on(queue: PendingChanges) -> None:
    act = Act(Unreachable("no answer"), held=False)
    queue.add("/f", DELETE, act, 1000)
    with pytest.raises(Unreachable):
        queue.flush("/f")
    assert queue.find("/f", DELETE) is not None
    queue.flush("/f")
    assert act.calls == 2
    assert queue.find("/f", DELETE) is None


def test_one_that_fails_behind_is_tried_again_later(queue: PendingChanges, clock: Clock) -> None:
    act = Act(Unreachable("1"), Unreachable("2"))
    queue.add("/f", DELETE, act)
    for wait in (0.0, FIRST_RETRY, 2 * FIRST_RETRY):
        clock.now += wait - 0.01
        queue.add("/wakes the scheduler", DELETE, Act(), 1000)
        assert wait == 0.0 or not act.has_begun(0.05), "not before its time"
        clock.now += 0.02
        queue.add("/wakes the scheduler", DELETE, Act(), 1000)
        assert act.has_begun()
        until(lambda: getattr(queue.find("/f", DELETE), "state", None) is not act)
    until(lambda: queue.find("/f", DELETE) is None)


@pytest.mark.parametrize("failure", [AccessDenied("no"), ValueError("a bug")])
def test_what_is_final_is_given_up(
    timed: PendingChanges, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    act = Act(failure)
    timed.add("/f", DELETE, act, is_final=lambda error: isinstance(error, TagfsError))
    until(lambda: timed.find("/f", DELETE) is None)
    until(lambda: "/f: unlinked, but not deleted" in caplog.text)
    assert act.calls == 1


def test_one_that_fails_while_somebody_waits_is_taken_back(timed: PendingChanges) -> None:
    act = Act(Unreachable("no answer"), held=True)
    timed.add("/f", DELETE, act)
    assert act.has_begun()
    answers: list[bool] = []
    cancelling = meanwhile(lambda: answers.append(timed.cancel("/f", DELETE)))
    act.go_on.set()
    cancelling.join(10)
    assert answers == [True]
    assert timed.find("/f", DELETE) is None


def test_asked_for_again_it_is_made_again(timed: PendingChanges) -> None:
    """... if it had begun; one that waits is replaced."""
    first, second, third = Act(held=True), Act(), Act()
    timed.add("/f", DELETE, first)
    assert first.has_begun()
    timed.add("/f", DELETE, second)
    first.go_on.set()
    until(lambda: timed.find("/f", DELETE) is None)
    assert (first.calls, second.calls) == (1, 1)
    timed.add("/f", DELETE, second, 1000)
    timed.add("/f", DELETE, third, 1000)
    timed.flush("/f")
    assert (second.calls, third.calls) == (1, 1)


def test_the_end_makes_everything_and_tells_what_fails(queue: PendingChanges) -> None:
    good, bad = Act(), Act(Unreachable("no answer"))
    queue.add("/good", DELETE, good, 1000)
    queue.add("/bad", DELETE, bad, 1000)
    assert [(c.path, str(e)) for c, e in queue.close()] == [("/bad", "no answer")]
    assert (good.calls, bad.calls) == (1, 1)


def test_threads_do_not_grow_with_the_number_of_paths(timed: PendingChanges) -> None:
    before = threading.active_count()
    acts = [Act(held=True) for _ in range(1000)]
    for number, act in enumerate(acts):
        timed.add(f"/{number}", DELETE, act, 0.001)
    until(lambda: sum(act.calls for act in acts) == THREADS)
    assert threading.active_count() - before <= THREADS + 1
    for act in acts:
        act.go_on.set()
    until(lambda: all(act.calls for act in acts))


def test_a_thousand_races_between_the_scheduler_and_others(timed: PendingChanges) -> None:
    for number in range(1000):
        act = Act()
        timed.add("/f", DELETE, act, 0.0 if number % 2 else 0.0005)
        taken_back = timed.cancel("/f", DELETE)
        assert act.calls == (0 if taken_back else 1)
