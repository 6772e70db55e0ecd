"""The matrix of faults: cells, how one is run, and what it must come to."""

import contextlib
import itertools
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from re import escape, fullmatch
from typing import Any

from tagfs.errors import TagfsError
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials
from tests.emulated import Emulator
from tests.faults.faults import Kind, every
from tests.faults.operations import Operation, plain, snapshot
from tests.faults.proxy import Board, Proxy, Rule
from tests.judges import judge_of
from tests.waiting import SOON, wait_for

LONGEST = 20.0
"""Seconds that any cell may take."""

TIMES: tuple[int | None, ...] = (1, 2, None)
_PREFIXES = itertools.count()
_ANSWERS = frozenset({"400", "403 denied", "403 clock skewed"})
"""Faults that are an answer to a probe: it is not allowed, and what follows may be."""

_EXPIRED_CODES = frozenset({"SecurityTokenExpired", "ExpiredToken"})


class Renewing:
    """Credentials that are another value after every refresh, and always the same pair."""

    origin = "a test"

    def __init__(self) -> None:
        self._until = time.time() + 86_400

    def get(self) -> Credentials:
        return Credentials("emulator", "emulator-secret", expires_at=self._until)

    def refresh(self) -> Credentials:
        self._until += 1
        return self.get()


@dataclass(frozen=True)
class Cell:
    """One operation, one kind of its requests, one fault, so many times."""

    operation: Operation
    target: str
    kind: Kind
    times: int | None

    def __str__(self) -> str:
        often = f"{self.times}x" if self.times else "for ever"
        return f"{self.operation.name} / {self.target} / {self.kind.name} / {often}"

    @property
    def hits_the_change(self) -> bool:
        """Whether the request that is struck is the one that changes what can be seen."""
        return fullmatch(self.operation.changes, self.target) is not None

    @property
    def is_essential(self) -> bool:
        """Whether a quick run has it: lost replies of what cannot simply be repeated."""
        return self.hits_the_change and self.kind.name in {"reply lost", "500 after", "503"}

    def is_chosen(self, share: int) -> bool:
        """Whether a run of one cell in `share` has it."""
        return self.is_essential or zlib.crc32(str(self).encode()) % share == 0


@dataclass(frozen=True)
class Normal:
    """What an operation is without faults."""

    asked: list[str]
    result: Any
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass
class Outcome:
    """How a cell ended.

    Attributes:
        error: the class's name, or "".
        state: "before", "after" or "between" (and then what there is).
        leaked: uploads that nobody knows of.
        hits: how often the fault struck.
        asked: kinds of all requests.
    """

    error: str
    result: Any
    state: str
    found: dict[str, Any]
    leaked: int
    hits: int
    asked: list[str]
    seconds: float
    idle: bool


class Field:
    """One bucket on one service, for the cells of one operation."""

    def __init__(self, emulator: Emulator, operation: Operation) -> None:
        self._emulator = emulator
        self._bucket = emulator.take()
        self.operation = operation
        self.clean = self._adapted(emulator.open(self._bucket))
        if self.clean.dialect.error_header is None:
            self.operation = replace(operation, head_names_error=False)
        self._with_bucket = "bucket" in operation.name
        self._alone = threading.Lock()

    def close(self) -> None:
        self.clean.close()

    def measure(self) -> Normal:
        """Run the operation undisturbed, until two runs ask the same: a busy machine disturbs."""
        normal, again = self._measure(), self._measure()
        while normal.asked != again.asked:
            normal, again = again, self._measure()
        return normal

    def _measure(self) -> Normal:
        prefix = self._prefix()
        ground = self.operation.prepare(self.clean, prefix)
        before = self._snapshot(prefix)
        with Proxy(self._emulator.url) as proxy:
            client = self._client(proxy, 10)
            result = plain(self.operation.act(client, prefix, ground), prefix)
            client.close()
            asked = list(proxy.board.asked)
        return Normal(asked, result, before, self._snapshot(prefix))

    def cells(self, normal: Normal) -> Iterator[Cell]:
        kinds = every(min(self.clean.dialect.expired_codes & _EXPIRED_CODES))
        for target, kind, times in itertools.product(dict.fromkeys(normal.asked), kinds, TIMES):
            yield Cell(self.operation, target, kind, times)

    def judge(self, cell: Cell, normal: Normal) -> str:
        """Run a cell and say what is wrong with how it ended; "" for nothing.

        Its times are short. On a busy machine they may be too short, so that a cell that seems
        wrong is run once more with all the time it may need.
        """
        first = problem(cell, normal, self.run(cell, normal))
        return first and problem(cell, normal, self.run(cell, normal, patience=4))

    def run(self, cell: Cell, normal: Normal, patience: float = 1) -> Outcome:
        """Run a cell; those of the bucket's own tags one after the other."""
        with self._alone if self._with_bucket else contextlib.nullcontext():
            return self._run(cell, normal, patience)

    def _run(self, cell: Cell, normal: Normal, patience: float) -> Outcome:
        prefix = self._prefix()
        ground = self.operation.prepare(self.clean, prefix)
        rule = Rule(cell.kind.fault, escape(cell.target), times=cell.times)
        began = time.monotonic()
        with Proxy(self._emulator.url, Board([rule])) as proxy:
            client = self._client(proxy, (0.8 if cell.times is None else 5) * patience)
            error, result = "", None
            try:
                result = plain(self.operation.act(client, prefix, ground), prefix)
            except TagfsError as failure:
                error = type(failure).__name__
            seconds = time.monotonic() - began
            client.close()
            free = client.transport._attempts._slots.taken == 0
            idle = free and _goes_idle(proxy)
            asked = list(proxy.board.asked)
        found = self._snapshot(prefix)
        state = "after" if found == normal.after else "between"
        if found == normal.before:
            state = "before"
        return Outcome(
            error, result, state, found, self._uploads(prefix), rule.hits, asked, seconds, idle
        )

    def _prefix(self) -> str:
        return f"c{next(_PREFIXES):06}/"

    def _snapshot(self, prefix: str) -> dict[str, Any]:
        return snapshot(self.clean, prefix, with_bucket=self._with_bucket)

    def _uploads(self, prefix: str) -> int:
        if self.operation.begins:
            return 0
        judge = judge_of(self._emulator.service, self._emulator.url, self._bucket)
        return sum(key.startswith(prefix) for key in judge.uploads())

    def _client(self, proxy: Proxy, timeout: float) -> Client:
        settings = BucketSettings(
            service=self._emulator.service,
            bucket=self._bucket,
            endpoint=proxy.url,
            timeout=timeout,
            parallel=4,
        )
        return self._adapted(open_bucket(settings, Renewing()))

    def _adapted(self, client: Client) -> Client:
        if self.operation.settings:
            client.api.dialect = replace(client.dialect, **self.operation.settings)
        return client


def problem(cell: Cell, normal: Normal, outcome: Outcome) -> str:
    """Say what is wrong with how a cell ended; "" for nothing.

    A success means that all is done, once. A failure means that nothing is done, or that all is
    where the service had done it before the client heard of it. Nothing is ever half done.
    """
    checks = {
        "the fault never struck": outcome.hits > 0,
        f"it took {outcome.seconds:.0f} s": outcome.seconds < LONGEST,
        "a connection or a slot is not given back": outcome.idle,
        f"{outcome.leaked} uploads are left": not outcome.leaked
        or _may_leak(cell, normal, outcome),
        f"there is {outcome.found}": outcome.state != "between",
        f"failed with {outcome.error}": outcome.error in _allowed(cell, normal),
        f"state {outcome.state} after {outcome.error or 'success'}": normal.before == normal.after
        or outcome.state in _expected_states(cell, normal, outcome),
        f"returned {outcome.result}": outcome.error != ""
        or outcome.result == normal.result
        or (cell.operation.unverified and cell.kind.name == "garbled body"),
    }
    return "; ".join(text for text, holds in checks.items() if not holds)


def _allowed(cell: Cell, normal: Normal) -> frozenset[str]:
    nameless = cell.target == "HEAD" and not cell.operation.head_names_error
    if (
        cell.times is not None
        and cell.times <= cell.kind.heals
        and not (nameless and cell.kind.name.startswith("403"))
    ):
        return frozenset({""})
    # Where ETags follow from parts, the object itself shows that an upload became it.
    seen = cell.kind.done and cell.hits_the_change and cell.target == "POST uploadId"
    harmless = (
        seen
        or (fullmatch(cell.operation.probes, cell.target) and cell.kind.name in _ANSWERS)
        or fullmatch(cell.operation.tolerates, cell.target)
        or _comes_after(cell, normal)
    )
    return cell.kind.errors | cell.operation.errors | ({""} if harmless else set())


def _expected_states(cell: Cell, normal: Normal, outcome: Outcome) -> set[str]:
    if not outcome.error:
        return {"after"}
    if fullmatch(f"{cell.operation.tolerates}|{cell.operation.probes}", cell.target):
        return {"before", "after"}  # a link on trial precedes some probes
    if _comes_after(cell, normal):
        return {"after"}
    return {"after"} if cell.kind.done and cell.hits_the_change else {"before"}


def _comes_after(cell: Cell, normal: Normal) -> bool:
    """Whether the request that is struck follows the one that changes something: tags that are
    read back, for example."""
    changes = [n for n, one in enumerate(normal.asked) if fullmatch(cell.operation.changes, one)]
    return bool(changes) and normal.asked.index(cell.target) > changes[0]


def _may_leak(cell: Cell, normal: Normal, outcome: Outcome) -> bool:
    """An upload whose id never arrived cannot be distinguished from another host's; a
    lifecycle rule ends it, and the log names the key."""
    begun = "POST uploads"
    again = outcome.asked.count(begun) > normal.asked.count(begun)
    return again or (cell.target == begun and cell.kind.done)


def _goes_idle(proxy: Proxy) -> bool:
    """Wait a moment for all connections to be given back."""
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not proxy.connections, SOON)
    return not proxy.connections
