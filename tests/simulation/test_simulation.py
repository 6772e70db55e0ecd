"""F8, D5, G4, G5: whatever the order in which threads are served, nothing is lost.

Some orders here, as many as one likes by `scripts/soak --only simulation`. What must hold is in
`model.py`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tagfs.fs.openfiles.commit import Committer
from tagfs.fs.pending.change import Change, Kind
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.tree.replaced_files import Hidden, ReplacedFiles
from tagfs.recovery.finish_file import FileFinisher
from tests.examples import examples
from tests.simulation.plan import Plan, Step, plan_of
from tests.simulation.runs import Outcome, run, search

RUNS = examples(2000)
FOUND_WITHIN = 1500
"""Seeds within which a mistake that was made once must be found: one in 20 does, or more."""

Programs = tuple[tuple[str, tuple[Step, ...]], ...]


@pytest.mark.parametrize("block", range(8))
def test_no_order_loses_anything(block: int) -> None:
    first = 1000 * block
    for outcome in search(range(first, first + RUNS // 8)):
        pytest.fail(str(outcome))


@pytest.mark.parametrize("service", ["oss", "obs", "s3"])
def test_no_answer_that_is_lost_on_the_wire_loses_anything(service: str) -> None:
    """F1. The client itself, its retries and what it makes of lost answers."""
    for seed in range(10):
        outcome = run(seed, replace(plan_of(seed), service=service, faults=0.15))
        assert not outcome.wrong, outcome


@pytest.mark.parametrize("seed", [3, 8])
def test_a_seed_is_one_run(seed: int) -> None:
    """Also in another process, where sets and addresses have another order."""
    ours = run(seed)
    assert len(ours.trace) > 3
    code = (
        "from tests.simulation.runs import run; import sys;"
        f"it = run({seed}); print(*it.trace, it.decisions, sep='\\n')"
    )
    theirs = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert [*ours.trace, str(ours.decisions)] == theirs.splitlines()
    assert run(seed + 1).decisions != ours.decisions


# What was wrong once is found

HOLDS = ("A", (("hold", "/a", "1"),) * 4)
REWRITES = (
    "A",
    (("write", "/a", "65", ""), ("update", "/a", "5", "80"), ("write", "/d/a", "7", "")),
)
LATE: dict[str, Any] = {"slow": 0.0, "slowest": "delete"}


def first_loss(programs: Programs, *, dies: bool = False, **choices: Any) -> Outcome:
    """Return the first run that loses something.

    What its programs do is given, so that the suite has it in seconds whatever is changed
    elsewhere; the seed decides the rest.
    """
    for seed in range(FOUND_WITHIN):
        plan = Plan(programs, death=10 + seed % 20 if dies else 0, **choices)
        outcome = run(seed, plan)
        if any(loss in outcome.wrong for loss in ("is lost", "not found", ", not ")):
            return outcome
    raise AssertionError(f"no loss in {FOUND_WITHIN} seeds")


@pytest.fixture
def strikes_whatever_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that is late does not look what it strikes, and nobody waits for it."""

    def delete(self: ReplacedFiles, path: str, hidden: Hidden, _since: float) -> None:
        hidden.unlink()
        self._left[path] = self._left_by(path, hidden)
        self._parents.ensure_survives(path)
        self._env.bucket.delete(self._env.root.to_key(path))
        self._hidden.pop(path, None)

    monkeypatch.setattr(ReplacedFiles, "_delete", delete)


@pytest.mark.usefixtures("strikes_whatever_is_there")
def test_the_late_rename_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename did not wait for a deletion of its target that had begun, and was struck by it."""
    cancel = PendingChanges.cancel

    def without_wait(
        self: PendingChanges, subject: object, kind: Kind, *, wait: bool = True
    ) -> bool:
        return cancel(self, subject, kind, wait=wait and kind is not Kind.DELETE)

    @contextmanager
    def without_lock(self: ReplacedFiles, path: str) -> Iterator[None]:
        yield
        hidden = self._hidden.pop(path, None)
        if hidden is not None:
            hidden.unlink()

    monkeypatch.setattr(PendingChanges, "cancel", without_wait)
    monkeypatch.setattr(ReplacedFiles, "_renaming_over", without_lock)
    first_loss((HOLDS, ("A", (("save", "/a", "65", ""),))), lag=2.0, **LATE)


@pytest.mark.usefixtures("strikes_whatever_is_there")
def test_the_struck_new_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file was made at a name whose deletion had begun, synced, closed, and then deleted."""

    def without_wait(self: PendingChanges, change: Change) -> None:
        while self._claim(change, wait=change.kind is not Kind.DELETE):
            self._run(change, asked=True)

    monkeypatch.setattr(PendingChanges, "_flush", without_wait)
    again = (("unlink", "/a"), ("pause", "/a"), ("write", "/a", "65", "fsync"))
    first_loss((HOLDS, ("A", again)), **LATE)


def test_a_close_that_leaves_no_note_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write-behind without its journal: a mount that dies loses what it had answered for."""
    monkeypatch.setattr(Committer, "journal_commit", lambda *_: None)
    first_loss((REWRITES,), dies=True, behind=2, slow=0.4)


def test_a_recovery_that_drops_files_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileFinisher, "finish", lambda *_: True)
    first_loss((REWRITES,), dies=True, behind=2, slow=0.4)
