"""Runs seeds; of one that shows a violation, finds the shortest plan that still does."""

import gc
import logging
import random
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from tests.simulation.disk import Disk
from tests.simulation.model import Violation
from tests.simulation.patching import simulated
from tests.simulation.plan import Plan, plan_of
from tests.simulation.primitives import EPOCH
from tests.simulation.scheduler import Simulation, Stuck
from tests.simulation.world import World

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
        choices = {name: value for name, value in asdict(self.plan).items() if name != "programs"}
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
        disk = Disk(random.Random(sim.chance.random()), lambda: EPOCH + sim.now)
        with simulated(sim, disk):
            try:
                sim.run(lambda: World(sim, chosen, disk).run())
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


def search(seeds: Iterable[int], about: str = "", *, dies: bool | None = None) -> Iterator[Outcome]:
    """Yield the outcomes in which something is wrong; for the plans see `plan_of`."""
    for seed in seeds:
        outcome = run(seed, plan_of(seed, about, dies=dies))
        if outcome.wrong:
            yield outcome


def shortest(outcome: Outcome, tries: int = 40) -> Outcome:
    """Take out of a plan what it does not need to go wrong, in one of a few orders."""
    found: Outcome | None = outcome
    while found is not None:
        outcome = found
        shorter = (_still_wrong(plan, outcome.seed, tries) for plan in outcome.plan.simpler())
        found = next((one for one in shorter if one is not None), None)
    return outcome


def _still_wrong(plan: Plan, seed: int, tries: int) -> Outcome | None:
    for number in range(tries):
        outcome = run(seed + number, plan)
        if outcome.wrong:
            return outcome
    return None
