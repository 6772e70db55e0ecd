"""The queue of changes that the service has not yet: each is made once, by who claims it first.

Time passes when a test says so, and so do the threads: `pool` keeps what the queue hands to them.
"""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from tagfs.errors import AccessDenied, TagfsError, Unreachable
from tagfs.fs.clock import MonotonicClock
from tagfs.fs.pending.change import Kind, State, Work
from tagfs.fs.pending.failures import FIRST_RETRY, LAST_RETRY
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.pending.threads import OTHERS, ChangeThreads
from tests.fakes.clock import FakeClock
from tests.fakes.pool import ScriptedPool
from tests.waiting import wait_for

DELETE = Kind.DELETE


class Act:
    """Something to do, which may be held up or fail."""

    def __init__(self, *failures: Exception | None, held: bool = False) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.calls = 0
        self.taken = self.given_back = 0
        self.is_final: Callable[[Exception], bool] = lambda _: False
        self._failures = list(failures)
        if not held:
            self.go_on.set()

    @property
    def work(self) -> Work:
        return Work(self, self.is_final, self.acquire, self.release)

    def __call__(self) -> None:
        self.calls += 1
        self.begun.release()
        assert self.go_on.wait(60)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure

    def acquire(self) -> None:
        self.taken += 1

    def release(self) -> None:
        self.given_back += 1

    def has_begun(self, seconds: float = 10) -> bool:
        return self.begun.acquire(timeout=seconds)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pool() -> ScriptedPool:
    return ScriptedPool()


@pytest.fixture
def queue(clock: FakeClock, pool: ScriptedPool) -> Iterator[PendingChanges]:
    queue = PendingChanges(clock, ChangeThreads(2, lambda _threads, _name: pool))
    yield queue
    close(queue, pool)


@pytest.fixture
def threaded(clock: FakeClock) -> Iterator[PendingChanges]:
    """One with threads of its own."""
    queue = PendingChanges(clock, ChangeThreads(2))
    yield queue
    end(queue)


def end(queue: PendingChanges) -> list[str]:
    """Make everything, and end; return the failures."""
    failed = [str(error) for error in queue.drain()]
    queue.close()
    return failed


def close(queue: PendingChanges, pool: ScriptedPool) -> list[str]:
    """End it, its threads played by this one; return the failures."""
    failed: list[str] = []
    closing = meanwhile(lambda: failed.extend(end(queue)), 0)
    while closing.is_alive():
        pool.run_all()
        closing.join(0.001)
    return failed


def meanwhile(call: Callable[[], object], seconds: float = 0.05) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(seconds)
    return thread


def state(queue: PendingChanges, path: str) -> State | None:
    change = queue.find(path, DELETE)
    return None if change is None else change.state


# When it is made


def test_it_is_made_when_it_is_due(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    late, soon = Act(), Act()
    queue.add("/late", DELETE, late.work, 1000)
    queue.add("/soon", DELETE, soon.work, 2)
    clock.advance_when_waited_for(1.9)
    assert len(pool) == 0
    clock.advance(0.1)
    pool.run()
    assert (soon.calls, late.calls) == (1, 0)
    assert (state(queue, "/soon"), state(queue, "/late")) == (None, State.WAITING)


def test_what_is_due_sooner_than_all_others_is_not_forgotten(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    """The scheduler sleeps until a later one when it is added."""
    for seconds in (1000, 100, 10):
        queue.add(f"/{seconds}", DELETE, Act().work, seconds)
    for seconds in (10, 90, 900):
        clock.advance_when_waited_for(seconds)
        pool.run()
    assert queue.all(DELETE) == []


def test_with_no_delay_it_begins_at_once(queue: PendingChanges, pool: ScriptedPool) -> None:
    queue.add("/f", DELETE, Act().work)
    assert len(pool) == 1


@pytest.mark.parametrize("delay", [5.0, 50.0])
def test_one_that_is_added_once_more_is_made_once_and_no_later(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool, delay: float
) -> None:
    first, second = Act(), Act()
    queue.add("/f", DELETE, first.work, 10)
    queue.add("/f", DELETE, second.work, delay)
    clock.advance_when_waited_for(min(delay, 10))
    pool.run_all()
    clock.advance(100)
    pool.run_all()
    assert (first.calls, second.calls) == (0, 1), "the later one says what is done"
    assert (first.taken, first.given_back, second.taken) == (1, 0, 0)
    assert second.given_back == 1


def test_it_can_be_hastened(queue: PendingChanges, pool: ScriptedPool) -> None:
    act = Act()
    queue.add("/f", DELETE, act.work, 1000)
    queue.hasten("/f", DELETE)
    queue.hasten("/another", DELETE)
    pool.run_all()
    assert act.calls == 1


def test_one_that_waits_for_a_thread_is_not_made_before_its_new_time(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    """Its due time came, then it was flushed, failed, and waits for another try."""
    act = Act(Unreachable("no answer"))
    queue.add("/f", DELETE, act.work)
    with pytest.raises(Unreachable):
        queue.flush("/f", DELETE)
    pool.run_all()
    assert act.calls == 1


# Who makes it


def test_one_that_waits_can_be_taken_back(queue: PendingChanges, pool: ScriptedPool) -> None:
    act = Act()
    queue.add("/f", DELETE, act.work, 1)
    assert queue.cancel("/f", DELETE)
    assert not queue.cancel("/f", DELETE)
    assert close(queue, pool) == []
    assert (act.calls, act.taken, act.given_back) == (0, 1, 1)


@pytest.mark.parametrize("what", ["cancel", "flush", "taken"])
@pytest.mark.parametrize("fails", [False, True])
def test_one_that_has_begun_is_waited_for(
    queue: PendingChanges, pool: ScriptedPool, what: str, *, fails: bool
) -> None:
    """... and over then, unless it failed: it is taken back, tried once more, or taken over."""
    act = Act(Unreachable("no answer") if fails else None, held=True)
    queue.add("/f", DELETE, act.work)
    running = meanwhile(pool.run, 0)
    assert act.has_begun()
    answers: list[object] = []

    def take() -> None:
        with queue.taken("/f", DELETE) as change:
            answers.append(change is not None)

    calls = {
        "cancel": lambda: answers.append(queue.cancel("/f", DELETE)),
        "flush": lambda: queue.flush("/f", DELETE),
        "taken": take,
    }
    other = meanwhile(calls[what])
    assert other.is_alive(), "it is under way"
    act.go_on.set()
    other.join(60)
    running.join(60)
    assert answers == ([] if what == "flush" else [fails])
    assert act.calls == (2 if fails and what == "flush" else 1)
    assert state(queue, "/f") is None
    assert act.given_back == 1


def test_flushing_makes_it_now_and_once(queue: PendingChanges, pool: ScriptedPool) -> None:
    act, other = Act(), Act()
    queue.add("/d/f", DELETE, act.work, 1000)
    queue.add("/e", DELETE, other.work, 1000)
    queue.flush("/d", DELETE)
    queue.flush("/d/f", DELETE)
    queue.flush("/d/f", DELETE)
    assert (act.calls, other.calls, len(pool)) == (1, 0, 0)


def test_many_are_flushed_at_once_and_one_failure_keeps_none_back(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    acts = [Act(Unreachable(str(n)) if n == 1 else None) for n in range(3)]
    for number, act in enumerate(acts):
        queue.add(f"/d/{number}", DELETE, act.work, 1000)
    queue.add("/e", DELETE, Act().work, 1000)
    queue.add("/d", DELETE, Act().work, 1000)
    errors: list[Exception] = []

    def flush() -> None:
        try:
            queue.flush_below("/d", DELETE)
        except TagfsError as error:
            errors.append(error)

    flushing = meanwhile(flush, 0)
    wait_for(lambda: len(pool) == 3)
    pool.run_all()
    flushing.join(60)
    assert [str(error) for error in errors] == ["1"]
    assert [act.calls for act in acts] == [1, 1, 1]
    assert [change.path for change in queue.all(DELETE)] == ["/d/1", "/e", "/d"]


def test_what_takes_it_over_makes_it(queue: PendingChanges) -> None:
    act = Act()
    queue.add("/f", DELETE, act.work, 1000)
    with queue.taken("/nothing", DELETE) as change:
        assert change is None
    with queue.taken("/f", DELETE) as change:
        assert change is not None
        assert change.state is State.RUNNING
        assert not act.given_back
    assert state(queue, "/f") is None
    assert (act.calls, act.given_back) == (0, 1)


def test_what_takes_it_over_and_fails_lets_it_wait_on(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    act = Act()
    queue.add("/f", DELETE, act.work, 10)

    def rename() -> None:
        with queue.taken("/f", DELETE):
            clock.advance_when_waited_for(20)
            assert len(pool) == 0, "it is taken, though it is due"
            raise Unreachable("the rename")

    with pytest.raises(Unreachable):
        rename()
    pool.run_all()
    assert (act.calls, act.given_back) == (1, 1)


def test_asked_for_again_while_it_runs_it_is_made_again(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    first, second = Act(held=True), Act()
    queue.add("/f", DELETE, first.work)
    running = meanwhile(pool.run, 0)
    assert first.has_begun()
    queue.add("/f", DELETE, second.work, 10)
    first.go_on.set()
    running.join(60)
    assert state(queue, "/f") is State.WAITING
    clock.advance_when_waited_for(10)
    pool.run_all()
    assert (first.calls, second.calls) == (1, 1)
    assert (first.taken, second.taken, second.given_back) == (1, 0, 1)


def test_one_that_gives_back_what_it_holds_is_waited_for(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    """What is added meanwhile is a change of its own, which takes what it needs itself."""
    first, second = Act(), Act()
    go_on = threading.Event()
    releasing = threading.Event()

    def release() -> None:
        releasing.set()
        assert go_on.wait(60)

    queue.add("/f", DELETE, Work(first, release=release))
    running = meanwhile(pool.run, 0)
    assert releasing.wait(60)
    adding = meanwhile(lambda: queue.add("/f", DELETE, second.work, 1000))
    assert adding.is_alive()
    go_on.set()
    adding.join(60)
    running.join(60)
    assert second.taken == 1
    assert state(queue, "/f") is State.WAITING


# What fails


def test_who_flushes_hears_of_a_failure_and_it_waits_on(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    act = Act(Unreachable("no answer"))
    queue.add("/f", DELETE, act.work, 1000)
    with pytest.raises(Unreachable):
        queue.flush("/f", DELETE)
    assert state(queue, "/f") is State.WAITING
    queue.flush("/f", DELETE)
    assert act.calls == 2
    assert (state(queue, "/f"), len(pool)) == (None, 0)


def test_who_flushes_in_vain_puts_off_no_other_try(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    act = Act(*[Unreachable("no answer")] * 10)
    queue.add("/f", DELETE, act.work, 1000)
    for _ in range(10):
        with pytest.raises(Unreachable):
            queue.flush("/f", DELETE)
    clock.advance_when_waited_for(FIRST_RETRY)
    pool.run_all()
    assert act.calls == 11
    assert state(queue, "/f") is None


def test_one_that_fails_in_the_background_is_retried_ever_later(
    queue: PendingChanges,
    clock: FakeClock,
    pool: ScriptedPool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    act = Act(*[Unreachable("no answer")] * 8)
    queue.add("/f", DELETE, act.work)
    pool.run_all()
    for failed in range(1, 9):
        assert not queue.is_trusted, "as long as one fails nothing is answered early"
        wait = min(LAST_RETRY, FIRST_RETRY * 2 ** (failed - 1))
        clock.advance_when_waited_for(wait - 0.01)
        assert len(pool) == 0, "not before its time"
        clock.advance(0.02)
        pool.run_all()
        assert act.calls == failed + 1
    assert queue.is_trusted
    assert act.given_back == 1
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert [r.message for r in warnings] == ["/f: unlinked, but not deleted yet: no answer"]


@pytest.mark.parametrize("failure", [AccessDenied("no"), ValueError("a bug")])
def test_what_is_final_is_given_up(
    queue: PendingChanges,
    pool: ScriptedPool,
    failure: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    act = Act(failure)
    act.is_final = lambda error: error is failure
    queue.add("/f", DELETE, act.work)
    pool.run_all()
    assert state(queue, "/f") is None
    assert "/f: unlinked, but not deleted" in caplog.text
    assert (act.calls, act.given_back) == (1, 1)
    assert queue.is_trusted


def test_what_is_final_is_not_for_what_was_asked_meanwhile(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    act = Act(AccessDenied("no"), held=True)
    act.is_final = lambda error: isinstance(error, AccessDenied)
    queue.add("/f", DELETE, act.work)
    running = meanwhile(pool.run, 0)
    assert act.has_begun()
    queue.add("/f", DELETE, act.work)
    act.go_on.set()
    running.join(60)
    pool.run_all()
    assert act.calls == 2
    assert state(queue, "/f") is None


@pytest.mark.parametrize("way", ["cancel", "flush", "taken"])
def test_whoever_ends_the_failing_one_restores_trust(queue: PendingChanges, way: str) -> None:
    act = Act(Unreachable("no answer"))
    queue.add("/f", DELETE, act.work, 1000)
    with pytest.raises(Unreachable):
        queue.flush("/f", DELETE)
    assert not queue.is_trusted
    if way == "cancel":
        queue.cancel("/f", DELETE)
    elif way == "flush":
        queue.flush("/f", DELETE)
    else:
        with queue.taken("/f", DELETE):
            pass
    assert queue.is_trusted


# The end


def test_the_end_makes_everything_and_reports_what_fails(
    queue: PendingChanges, pool: ScriptedPool, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = Act(), Act(Unreachable("no answer"))
    queue.add("/good", DELETE, good.work, 1000)
    queue.add("/bad", DELETE, bad.work, 1000)
    assert close(queue, pool) == ["no answer"]
    assert "/bad: unlinked, but not deleted: no answer" in caplog.text
    assert not queue.add("/late", DELETE, good.work)
    assert (good.calls, bad.calls) == (1, 1)
    assert not queue.is_trusted


def test_the_end_waits_for_what_runs_and_begins_nothing_late(
    queue: PendingChanges, pool: ScriptedPool
) -> None:
    """What was handed to a thread that is not free yet is made by the end, once."""
    running, late = Act(held=True), Act()
    queue.add("/running", DELETE, running.work)
    thread = meanwhile(pool.run, 0)
    assert running.has_begun()
    queue.add("/late", DELETE, late.work)
    closing = meanwhile(lambda: close(queue, pool))
    assert closing.is_alive()
    running.go_on.set()
    closing.join(60)
    thread.join(60)
    pool.run_all()
    assert (running.calls, late.calls) == (1, 1)


def test_the_end_says_what_failed_before_it_tries_the_rest(
    clock: FakeClock, pool: ScriptedPool
) -> None:
    """Whoever hears that the service is dead can keep the others from waiting for it as long."""
    queue = PendingChanges(clock, ChangeThreads(2, lambda _threads, _name: pool))
    acts = [Act(Unreachable(f"{number}")) for number in range(3)]
    for number, act in enumerate(acts):
        queue.add(f"/{number}", DELETE, act.work, 1000)
    failures = queue.drain()
    first: list[str] = []
    hearing = meanwhile(lambda: first.append(str(next(failures))), 0)
    wait_for(lambda: len(pool) == 3)
    pool.run()
    hearing.join(60)
    assert first == ["0"]
    assert [act.calls for act in acts] == [1, 0, 0]
    pool.run_all()
    assert [str(error) for error in failures] == ["1", "2"]
    queue.close()


def test_local_files_are_looked_after_until_all_else_is_made(
    clock: FakeClock, pool: ScriptedPool
) -> None:
    """D5. What is uploaded at unmount, and takes long, survives a power cut as ever."""
    queue = PendingChanges(clock, ChangeThreads(2, lambda _threads, _name: pool))
    early, late, never = Act(), Act(), Act()
    queue.add("/early", Kind.SYNC, early.work, 1)
    assert list(queue.drain()) == []
    assert early.calls == 0, "it is not due, and nobody waits for it"
    assert not queue.add("/f", DELETE, never.work)
    assert queue.add("/late", Kind.SYNC, late.work, 2)
    clock.advance_when_waited_for(2)
    pool.run_all()
    assert (early.calls, late.calls) == (1, 1)
    queue.close()
    assert not queue.add("/late", Kind.SYNC, never.work)
    assert (never.calls, len(pool)) == (0, 0)


# When its thread is woken


def test_what_is_taken_back_wakes_nobody(
    queue: PendingChanges, clock: FakeClock, pool: ScriptedPool
) -> None:
    """A thousand files a second are uploaded, each long before it is to be made safe."""
    waits: list[float | None] = []
    wait = clock.wait

    def counted(condition: threading.Condition, _seconds: float | None) -> None:
        waits.append(_seconds)
        wait(condition, _seconds)

    clock.wait = counted  # type: ignore[method-assign]
    for number in range(100):
        queue.add(f"/{number}", DELETE, Act().work, 1 + number / 1000)
        assert queue.cancel(f"/{number}", DELETE)
    last = Act()
    queue.add("/last", DELETE, last.work, 10)
    clock.advance_when_waited_for(0.5)
    assert waits[-1] == 9.5, "it sleeps until the last one is due"
    clock.advance(10)
    pool.run_all()
    assert last.calls == 1


@pytest.mark.parametrize("fails", [True, False])
def test_one_that_runs_and_is_not_waited_for_is_not_made_again(
    queue: PendingChanges, pool: ScriptedPool, *, fails: bool
) -> None:
    act = Act(Unreachable("no answer") if fails else None, held=True)
    act.is_final = lambda _error: True
    queue.add("/f", DELETE, act.work)
    running = meanwhile(pool.run, 0)
    assert act.has_begun()
    queue.add("/f", DELETE, act.work)
    assert not queue.cancel("/f", DELETE, wait=False)
    act.go_on.set()
    running.join(60)
    pool.run_all()
    assert (act.calls, state(queue, "/f")) == (1, None)


# Threads


def test_an_upload_keeps_no_deletion_waiting(clock: FakeClock) -> None:
    queue = PendingChanges(clock, ChangeThreads(1))
    uploads, deletion = [Act(held=True) for _ in range(10)], Act()
    for number, upload in enumerate(uploads):
        queue.add(f"/{number}", Kind.UPLOAD, upload.work)
    assert uploads[0].has_begun()
    queue.add("/f", DELETE, deletion.work)
    assert deletion.has_begun()
    assert sum(upload.calls for upload in uploads) == 1
    for upload in uploads:
        upload.go_on.set()
    assert end(queue) == []
    assert all(upload.calls == 1 for upload in uploads)


def test_threads_do_not_grow_with_the_number_of_paths(
    threaded: PendingChanges, clock: FakeClock
) -> None:
    before = threading.active_count()
    acts = [Act(held=True) for _ in range(1000)]
    for number, act in enumerate(acts):
        threaded.add(f"/{number}", DELETE, act.work, 1)
    clock.advance_when_waited_for(1)
    wait_for(lambda: sum(act.calls for act in acts) == OTHERS)
    assert threading.active_count() - before <= OTHERS + 1
    for act in acts:
        act.go_on.set()
    wait_for(lambda: all(act.calls for act in acts))


def test_a_thousand_races_between_the_scheduler_and_others() -> None:
    queue = PendingChanges(MonotonicClock(), ChangeThreads(2))
    for number in range(1000):
        act = Act()
        queue.add("/f", DELETE, act.work, 0.0 if number % 2 else 0.0005)
        taken_back = queue.cancel("/f", DELETE)
        assert act.calls == (0 if taken_back else 1)
        assert act.given_back == 1
    assert end(queue) == []
