"""What threading, concurrent.futures, queue, time and secrets have, within a simulation.

`names` says what stands for which, so that a module's own name of it can be replaced.
"""

import concurrent.futures
import queue
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

from tests.simulation.scheduler import Simulation, Task

EPOCH = 1_700_000_000.0
"""The time of day when a simulation's clock says 0, seconds since 1970."""


class Lock:
    """A lock."""

    reentrant = False

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._owner: Task | None = None
        self._count = 0
        self._waiting: list[Task] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        self._sim.point()
        return self._take(blocking=blocking, timeout=timeout)

    def _take(self, *, blocking: bool = True, timeout: float = -1) -> bool:
        sim, me = self._sim, self._sim.current
        if self.reentrant and self._count and self._owner is me:
            self._count += 1
            return True
        end = None if timeout < 0 else sim.now + timeout
        while self._count:
            left = None if end is None else end - sim.now
            if not blocking or (left is not None and left <= 0):
                return False
            sim.wait(self._waiting, left)
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        if not self._count:
            if self._sim.ending:
                return
            raise RuntimeError("released, but not held")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._sim.wake(self._waiting)

    def locked(self) -> bool:
        return self._count > 0

    def is_mine(self) -> bool:
        return self._count > 0 and self._owner is self._sim.current

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    """A lock that its holder may take again."""

    reentrant = True


class Condition:
    """A condition."""

    def __init__(self, sim: Simulation, lock: Lock | None = None) -> None:
        self._sim = sim
        self._lock = RLock(sim) if lock is None else lock
        self._waiting: list[Task] = []
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        held, self._lock._count = self._lock._count, 1
        self._lock.release()
        try:
            return self._sim.wait(self._waiting, timeout)
        finally:
            if not self._sim.ending:
                self._lock._take()
            self._lock._count = held

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        end = None if timeout is None else self._sim.now + timeout
        while not (result := predicate()):
            left = None if end is None else end - self._sim.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        self._sim.wake(self._waiting, n)

    def notify_all(self) -> None:
        self._sim.wake(self._waiting)


class Event:
    """An event."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._is_set = False
        self._waiting: list[Task] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._sim.wake(self._waiting)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        self._sim.point()
        if not self._is_set:
            self._sim.wait(self._waiting, timeout)
        return self._is_set


class Semaphore:
    """A semaphore, bounded or not."""

    def __init__(self, sim: Simulation, value: int = 1) -> None:
        self._sim = sim
        self._value = value
        self._waiting: list[Task] = []

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002
        self._sim.point()
        end = None if timeout is None else self._sim.now + timeout
        while not self._value:
            left = None if end is None else end - self._sim.now
            if not blocking or (left is not None and left <= 0):
                return False
            self._sim.wait(self._waiting, left)
        self._value -= 1
        return True

    def release(self, n: int = 1) -> None:
        self._value += n
        self._sim.wake(self._waiting, n)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread:
    """A thread."""

    def __init__(
        self,
        sim: Simulation,
        *,
        target: Callable[..., object],
        name: str = "thread",
        args: Iterable[Any] = (),
        daemon: bool | None = None,
    ) -> None:
        self.name, self.daemon = name, daemon
        self._sim = sim
        self._work = partial(target, *args)
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._sim.spawn(self.name, self._work)
        self._sim.point()

    def join(self, timeout: float | None = None) -> None:
        if self._task is not None:
            self._sim.join(self._task, timeout)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.is_over


class Timer(Thread):
    """A thread that begins later."""

    def __init__(
        self, sim: Simulation, interval: float, function: Callable[..., object], args: Any = ()
    ) -> None:
        super().__init__(sim, target=self._later, name="timer")
        self._interval, self._function, self._args = interval, function, args
        self._cancelled = Event(sim)

    def cancel(self) -> None:
        self._cancelled.set()

    def _later(self) -> None:
        if not self._cancelled.wait(self._interval):
            self._function(*self._args)


class Future(concurrent.futures.Future):  # type: ignore[type-arg]
    """A future: the library's own, but for how it waits."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__()
        self._condition = Condition(sim)  # type: ignore[assignment]


class Pool(concurrent.futures.Executor):
    """Threads that do what is submitted, in its order."""

    def __init__(self, sim: Simulation, max_workers: int = 4, thread_name_prefix: str = "") -> None:
        self._sim = sim
        self._most, self._name = max_workers or 4, thread_name_prefix or "pool"
        self._work: list[tuple[Future, Callable[[], Any]]] = []
        self._idle: list[Task] = []
        self._workers: list[Task] = []
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = Future(self._sim)
        self._work.append((future, partial(fn, *args, **kwargs)))
        if self._idle:
            self._sim.wake(self._idle, 1)
        elif len(self._workers) < self._most:
            name = f"{self._name}-{len(self._workers)}"
            self._workers.append(self._sim.spawn(name, self._serve))
        self._sim.point()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        self._closed = True
        if cancel_futures:
            for future, _ in self._work:
                future.cancel()
            self._work.clear()
        self._sim.wake(self._idle)
        for worker in self._workers if wait else ():
            self._sim.join(worker)

    def _serve(self) -> None:
        while True:
            while self._work:
                future, work = self._work.pop(0)
                if future.set_running_or_notify_cancel():
                    _resolve(future, work)
            if self._closed:
                return
            self._sim.wait(self._idle)


def _resolve(future: Future, work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  as a pool does
        future.set_exception(error)
    else:
        future.set_result(result)


class SimpleQueue:
    """A queue without a bound."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._items: list[Any] = []
        self._waiting: list[Task] = []

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._sim.wake(self._waiting, 1)

    def get(self) -> Any:
        while not self._items:
            self._sim.wait(self._waiting)
        return self._items.pop(0)


def wait_for_futures(
    sim: Simulation, fs: Iterable[Future], timeout: float | None = None, return_when: str = ""
) -> Any:
    """Stand for `concurrent.futures.wait`."""
    futures, queue_ = list(fs), []  # type: ignore[var-annotated]
    end = None if timeout is None else sim.now + timeout

    def is_enough() -> bool:
        done = [future for future in futures if future.done()]
        if return_when == concurrent.futures.FIRST_COMPLETED and done:
            return True
        if return_when == concurrent.futures.FIRST_EXCEPTION and any(
            not future.cancelled() and future.exception() is not None for future in done
        ):
            return True
        return len(done) == len(futures)

    for future in futures:
        future.add_done_callback(lambda _future: sim.wake(queue_))
    while not is_enough() and (end is None or sim.now < end):
        sim.wait(queue_, None if end is None else end - sim.now)
    done = {future for future in futures if future.done()}
    return SimpleNamespace(done=done, not_done=set(futures) - done)


def names(sim: Simulation) -> dict[object, object]:
    """Return what stands for what in a simulation, by the thing itself."""
    chance = random.Random(sim.chance.random())
    monotonic = lambda: sim.now  # noqa: E731  the shape of what it stands for
    wall = lambda: EPOCH + sim.now  # noqa: E731
    wall_ns = lambda: int((EPOCH + sim.now) * 1e6) * 1000  # noqa: E731
    sleep, pool = sim.sleep, partial(Pool, sim)
    token = lambda number=16: chance.randbytes(number).hex()  # noqa: E731
    threads = SimpleNamespace(
        Lock=partial(Lock, sim),
        RLock=partial(RLock, sim),
        Condition=partial(Condition, sim),
        Event=partial(Event, sim),
        Semaphore=partial(Semaphore, sim),
        BoundedSemaphore=partial(Semaphore, sim),
        Thread=partial(Thread, sim),
        Timer=partial(Timer, sim),
        get_ident=lambda: id(sim.current),
        current_thread=lambda: sim.current,
    )
    clock = SimpleNamespace(
        **{name: getattr(time, name) for name in dir(time) if not name.startswith("__")}
    )
    clock.monotonic, clock.time, clock.time_ns, clock.sleep = monotonic, wall, wall_ns, sleep
    clock.perf_counter = monotonic
    return {
        threading: threads,
        time: clock,
        secrets: SimpleNamespace(token_hex=token),
        uuid: SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=token())),
        queue: SimpleNamespace(SimpleQueue=partial(SimpleQueue, sim), Empty=queue.Empty),
        time.monotonic: monotonic,
        time.time: wall,
        time.time_ns: wall_ns,
        time.sleep: sleep,
        concurrent.futures.Future: partial(Future, sim),
        concurrent.futures.ThreadPoolExecutor: pool,
        concurrent.futures.wait: partial(wait_for_futures, sim),
    }
