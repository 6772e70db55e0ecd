"""Threads that a test plays itself: what is submitted runs when the test says so."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


class ScriptedPool(Executor):
    """Keeps what is submitted; `run` does the oldest of it, in the thread of the test."""

    def __init__(self) -> None:
        self._submitted: list[tuple[Future[Any], Callable[[], Any]]] = []

    def __len__(self) -> int:
        """Return how much waits for a thread."""
        return len(self._submitted)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep something to do."""
        future: Future[Any] = Future()
        self._submitted.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        """Do the oldest."""
        future, work = self._submitted.pop(0)
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (as a pool does)
            future.set_exception(error)

    def run_all(self) -> None:
        """Do everything, and what comes of it."""
        while self._submitted:
            self.run()


class DirectPool(ThreadPoolExecutor):
    """Does what is submitted at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do something, and return what came of it."""
        pool = ScriptedPool()
        future = pool.submit(fn, *args, **kwargs)
        pool.run()
        return future
