"""Runs seeds; of one that shows a violation, finds the shortest plan that still does."""

import gc
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.simulation.model import Violation
from tests.simulation.patching import simulated
from tests.simulation.plan import Plan, plan_of
from tests.simulation.scheduler import Simulation, Stuck
from tests.simulation.world import World, staging

Mend = Callable[[], None]


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        wrong: what was violated; "" for nothing.
        trace: what was done, in its order.
        decisions: a number that another order would change.
    """

    seed: int
    plan: Plan
    wrong: str
    trace: list[str]
    decisions: int

    def __str__(self) -> str:
        plan = "\n".join(f"  {host}: {steps}" for host, steps in self.plan.programs)
        choices = {
            name: getattr(self.plan, name)
            for name in ("looks", "behind", "faults", "slow", "slowest")
        }
        lines = "\n".join(self.trace)
        return f"seed {self.seed}: {self.wrong}\n{choices}\n{plan}\n{lines}"


class _Bugs(logging.Handler):
    """Hears of what is logged as a bug."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.heard = f"{record.getMessage()}: {record.exc_info[1]!r}"


def run(seed: int, plan: Plan | None = None) -> Outcome:
    """Run one seed; with another plan than its own, if one is given."""
    chosen = plan_of(seed) if plan is None else plan
    sim = Simulation(seed)
    bugs = _Bugs()
    logger = logging.getLogger("tagfs")
    before = logger.level, logger.propagate
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(bugs)
    wrong = ""
    gc.disable()  # whatever it ends, it would end at another moment each time
    try:
        with simulated(sim), staging() as directory:
            try:
                sim.run(lambda: World(sim, chosen, directory).run())
            except (Violation, Stuck) as error:
                wrong = f"{type(error).__name__}: {error}"
            except Exception:  # noqa: BLE001  a bug, of tagfs or of the simulation
                wrong = traceback.format_exc()
            finally:
                sim.close()
    finally:
        gc.enable()
        logger.removeHandler(bugs)
        logger.setLevel(before[0])
        logger.propagate = before[1]
    return Outcome(seed, chosen, wrong or bugs.heard, sim.trace, sim.decisions)


def search(seeds: Iterable[int], about: str = "") -> Iterator[Outcome]:
    """Yield the outcomes in which something is wrong."""
    for seed in seeds:
        outcome = run(seed, plan_of(seed, about))
        if outcome.wrong:
            yield outcome


def shortest(outcome: Outcome, tries: int = 40) -> Outcome:
    """Take out of a plan what it does not need to go wrong, in one of a few orders."""
    found = outcome
    is_shorter = True
    while is_shorter:
        is_shorter = False
        for number, (_, steps) in enumerate(found.plan.programs):
            for step in reversed(range(len(steps))):
                less = found.plan.without(number, step)
                better = less.programs and _still_wrong(less, outcome.seed, tries)
                if better:
                    found, is_shorter = better, True
                    break
            if is_shorter:
                break
    return found


def _still_wrong(plan: Plan, seed: int, tries: int) -> Outcome | None:
    for number in range(tries):
        outcome = run(seed + number, plan)
        if outcome.wrong:
            return outcome
    return None
