"""One run: a cold mount, a workload in a process of its own, and what both cost."""

import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tests.bench.results import Result
from tests.bench.service import Service, s3_client
from tests.bench.subjects import Request, Running, Subject
from tests.bench.workload import Objects, Place, Sizes, Workload

_fork = get_context("fork")
_QUIET = 0.3
_NEVER = "the service never got the content"


class Outcome(NamedTuple):
    """How a piece of work in a process of its own ended; `began` is seconds since 1970."""

    seconds: float
    cpu_seconds: float
    error: str
    began: float = 0.0
    timed_out: bool = False


def timed(work: Callable[[], float | None], timeout: float, stop: Callable[[], None]) -> Outcome:
    """Do work in a forked process; after `timeout` seconds call `stop` and end the process.

    `stop` ends what the work may hang in: a mount that does not answer cannot be killed past.
    """
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_child, args=(work, sender))
    began = time.monotonic()
    process.start()
    sender.close()
    try:
        if receiver.poll(timeout):
            return Outcome(*receiver.recv())
        return Outcome(time.monotonic() - began, 0.0, f"not done in {timeout:g} s", timed_out=True)
    except EOFError:
        return Outcome(time.monotonic() - began, 0.0, "the workload's process died")
    finally:
        receiver.close()
        if process.is_alive():
            process.join(0.5)
        if process.is_alive():
            stop()
            os.killpg(process.pid or 0, signal.SIGKILL)
            process.join(20)


def _child(work: Callable[[], float | None], sender: Connection) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    error, own = "", None
    before = _usage()
    wall, began = time.time(), time.monotonic()
    try:
        own = work()
    except Exception as failure:  # noqa: BLE001  (a failed row is reported, not fatal)
        reported = isinstance(failure, OSError) or traceback.format_exc()
        error = str(failure) if reported is True else str(reported)
    seconds = time.monotonic() - began
    sender.send((seconds if own is None else own, _usage() - before, error, wall))


def _usage() -> float:
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


class Runner:
    """Runs workloads on the services of one latency."""

    def __init__(self, services: dict[str, Service], sizes: Sizes, timeout: float) -> None:
        self._services = services
        self._sizes = sizes
        self._timeout = timeout

    def measure(self, workload: Workload, subject: Subject, bucket: str, latency: float) -> Result:
        """Run one workload once."""
        with tempfile.TemporaryDirectory(prefix="tagfs-bench-", ignore_cleanup_errors=True) as name:
            run = _OneRun(self._services[subject.service], workload, subject, bucket, Path(name))
            facts = run.perform(self._sizes, min(self._timeout, workload.patience))
        return Result(
            workload=workload.id,
            title=workload.title,
            subject=subject.id,
            subject_title=subject.title,
            latency=latency,
            asked=workload.asked,
            **facts,  # type: ignore[arg-type]
        )

    def empty(self, service: str, bucket: str) -> None:
        """Remove what a run wrote into a bucket of its own."""
        self._services[service].empty(bucket)


class _OneRun:
    def __init__(
        self, service: Service, workload: Workload, subject: Subject, bucket: str, work: Path
    ) -> None:
        self.service = service
        self.workload = workload
        self.subject = subject
        self.bucket = bucket
        self.work = work
        self.mount: Running | None = None
        self.before: Objects = {}
        self.windows: list[tuple[int, int]] = []
        self.service_cpu = 0.0

    def perform(self, sizes: Sizes, timeout: float) -> dict[str, object]:
        local = self.work / "local"
        local.mkdir()
        place = Place(
            point=self.work / "mnt",
            local=local,
            scratch=self.work / "scratch",
            service=self.service.kind,
            endpoint=self.service.url,
            bucket=self.bucket,
            sizes=sizes,
        )
        if self.workload.prepare:
            self.workload.prepare(local, sizes)
        if self.workload.done:
            self.before = self.service.objects(self.bucket)
        try:
            if self.subject.disk and self.workload.disk:
                place.point.mkdir()
                self.workload.disk(place.point, sizes)
            elif self.subject.command and self.workload.mounted:
                self.mount = self._mount()
                if self.workload.before:
                    self._prepared(self.workload.before, place, timeout)
                    self.mount.close()
                    self.mount = self._mount()
            if self.workload.warm and not self.subject.threads:
                self._prepared(self.workload.warm, place, timeout)
                self.service.wait_until_quiet(_QUIET, time.monotonic() + timeout)
            return self._measured(place, timeout)
        except (RuntimeError, OSError) as error:
            return {"seconds": 0.0, "settled_seconds": 0.0, "error": str(error)}
        finally:
            if self.mount:
                self.mount.close()

    def _prepared(self, work: Callable[[Place], object], place: Place, timeout: float) -> None:
        """Do what the row takes for granted; that it fails is an error of the row."""

        def quietly() -> None:
            work(place)

        if error := timed(quietly, timeout, self._stop).error:
            raise OSError(f"before it: {error}")

    def _mount(self) -> Running:
        scratch = self.work / "scratch"
        request = Request(
            self.service.url, self.bucket, self.work / "mnt", scratch, self.workload.wants
        )
        mount = Running(self.subject, request)
        self.service.wait_until_quiet(0.05, time.monotonic() + 1)
        return mount

    def _measured(self, place: Place, timeout: float) -> dict[str, object]:
        work = self._work(place)
        self._open_window()
        cpu = self._cpu()
        deadline = time.monotonic() + timeout
        outcome = timed(work, timeout, self._stop)
        peak = self.mount.memory_mib() if self.mount else 0.0
        if self.workload.done and not self.subject.settled and not outcome.error:
            self.service.wait_until_quiet(_QUIET, deadline)
        self._close_window()
        error = outcome.error
        if not error and self.workload.done:
            error = self._until_done(deadline)
        tally = self.service.tally(self.bucket, self.windows)
        spent = self._cpu() - cpu if self.mount else outcome.cpu_seconds
        settled = max(outcome.seconds, tally.last_change - outcome.began)
        return {
            "seconds": outcome.seconds,
            "settled_seconds": outcome.seconds if self.subject.settled or error else settled,
            "requests": tally.requests,
            "bytes_in": tally.bytes_in,
            "bytes_out": tally.bytes_out,
            "cpu_seconds": max(spent, 0.0),
            "service_cpu_seconds": self.service_cpu,
            "peak_mib": peak,
            "timed_out": outcome.timed_out,
            "error": error,
        }

    def _open_window(self) -> None:
        """Count the service's work from now on."""
        self.service_cpu -= self.service.cpu_seconds()
        self.windows.append((self.service.mark(), 0))

    def _close_window(self) -> None:
        """Count no more: what comes now is asked by the benchmark itself."""
        self.windows[-1] = (self.windows[-1][0], self.service.mark())
        self.service_cpu += self.service.cpu_seconds()

    def _work(self, place: Place) -> Callable[[], float | None]:
        if self.subject.command or self.subject.disk:
            return lambda: self.workload.run(place)
        assert self.workload.sdk is not None
        sdk, threads = self.workload.sdk, self.subject.threads
        client = s3_client(self.service.url, threads)

        def loop() -> None:
            sdk(client, place, threads)

        return loop

    def _until_done(self, deadline: float) -> str:
        """Wait until the service has the content, and say what is wrong if it never gets it.

        The service is asked by the vendor's SDK while nothing else is under way, so that the
        asking is neither counted nor a load.
        """
        assert self.workload.done is not None
        while not self.workload.done(self.before, self._ask()):
            if self.subject.settled:
                return "the tool returned, but the service has not the content"
            if time.monotonic() > deadline:
                return _NEVER
            self._open_window()
            self.service.wait_until_quiet(_QUIET, deadline)
            self._close_window()
        return ""

    def _ask(self) -> Objects:
        return self.service.objects(self.bucket)

    def _cpu(self) -> float:
        return self.mount.cpu_seconds() if self.mount else 0.0

    def _stop(self) -> None:
        if self.mount:
            self.mount.kill()
