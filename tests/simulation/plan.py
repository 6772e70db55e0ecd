"""What the programs of a run do: made from a seed, whatever the order of their calls is."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

NAMES = ("/a", "/d/a", "/d/b")
OTHERS = ("/d/z", "/z")
"""Names that the second host uses; each host changes its own, and looks at all."""

DIRECTORIES = ("/e", "/d/e")
SIZES = (1, 7, 63, 64, 65, 150, 300)
Step = tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """One run, but for its schedule.

    Attributes:
        programs: for each, its host and its steps.
        looks: whether a file system knows a rename from an unlink, by host.
        lag: seconds at most between libfuse's two calls for a rename over an open file.
        behind: uploads behind a close that was answered, by host; 0: close waits.
        faults: how likely a request fails.
        slow: how likely it is slow.
        slowest: the kind of request that is slow more often than not; "" for none.
        service: over whose wire the bucket is reached; "" for a bucket in memory.
        disk_faults: how likely a call on the local disk fails.
        death: after how many effects on service and disk the first host's mount dies; 0: never.
        deaths_again: the same of each `tagfs recover` that follows; the last one does not die.
        is_power: it dies of a power cut.
        is_early: the next mount begins before what was left is recovered.
        after: what programs do on the next mount.
    """

    programs: tuple[tuple[str, tuple[Step, ...]], ...]
    looks: bool = False
    lag: float = 0.0
    behind: int = 0
    faults: float = 0.0
    slow: float = 0.1
    slowest: str = ""
    service: str = ""
    disk_faults: float = 0.0
    death: int = 0
    deaths_again: tuple[int, ...] = ()
    is_power: bool = False
    is_early: bool = False
    after: tuple[tuple[Step, ...], ...] = ()

    def simpler(self) -> "Iterator[Plan]":
        """Yield the plan with one thing less than can happen."""
        for name, plain in PLAIN.items():
            if getattr(self, name) != plain:
                yield replace(self, **{name: plain})  # type: ignore[arg-type]
        for number, (_, steps) in enumerate(self.programs):
            for step in reversed(range(len(steps))):
                less = self.without(number, step)
                if less.programs:
                    yield less

    def without(self, program: int, step: int) -> "Plan":
        """Return the plan with one step less."""
        host, steps = self.programs[program]
        left = (host, (*steps[:step], *steps[step + 1 :]))
        programs = [*self.programs[:program], left, *self.programs[program + 1 :]]
        return replace(self, programs=tuple(one for one in programs if one[1]))


PLAIN = {
    "deaths_again": (),
    "death": 0,
    "is_power": False,
    "is_early": False,
    "after": (),
    "disk_faults": 0.0,
    "faults": 0.0,
    "lag": 0.0,
    "slow": 0.0,
    "slowest": "",
}
"""What a plan has where nothing happens."""


def plan_of(seed: int, about: str = "", *, dies: bool | None = None) -> Plan:
    """Make the plan of a seed.

    `about`: the kinds of steps that are wanted, else any. `dies`: whether mounts may die and disks
    fail; None: in some runs.
    """
    plan = _plan_of(seed, about)
    chance = random.Random(f"trouble {seed}")
    is_wanted = chance.random() < 0.6 if dies is None else dies
    plan = _with_trouble(plan, chance) if is_wanted else plan
    return replace(plan, service=chance.choice(SERVICES)) if not about else plan


def _with_trouble(plan: Plan, chance: random.Random) -> Plan:
    dies = chance.random() < 0.7
    kinds, names = _swarm(chance)
    return replace(
        plan,
        disk_faults=chance.choice((0.0, 0.0, 0.02, 0.1)),
        death=int(chance.random() ** 2 * 120) + 1 if dies else 0,
        deaths_again=tuple(
            chance.randint(1, 25) for _ in range(chance.choice((0, 0, 1, 2)) if dies else 0)
        ),
        is_power=chance.random() < 0.3,
        is_early=chance.random() < 0.3,
        after=tuple(
            tuple(_step(chance, kinds, names) for _ in range(3))
            for _ in range(chance.choice((0, 1, 2)))
        ),
    )


def _plan_of(seed: int, about: str) -> Plan:
    chance = random.Random(seed)
    programs = []
    kinds, own = _swarm(chance)
    if about:
        kinds, own = about.split(), own[:1]
    for number in range(chance.choice((1, 2, 2, 3, 3, 4))):
        host = "B" if number and chance.random() < 0.25 else "A"
        names = OTHERS if host == "B" else own
        steps = tuple(_step(chance, kinds, names) for _ in range(chance.choice((1, 2, 3, 4, 6))))
        programs.append((host, steps))
    return Plan(
        programs=tuple(programs),
        looks=chance.random() < 0.4,
        behind=chance.choice((0, 0, 0, 2)),
        faults=chance.choice((0.0, 0.0, 0.02, 0.1)),
        slow=chance.choice((0.0, 0.1, 0.4)),
        slowest=chance.choice(("", *SLOWEST)),
        lag=chance.choice((0.0, 0.0, 0.5)),
    )


def _swarm(chance: random.Random) -> tuple[list[str], tuple[str, ...]]:
    """Choose what a run is about: few kinds of steps at few names meet more often than all."""
    kinds = KINDS
    names: tuple[str, ...] = NAMES
    if chance.random() < 0.6:
        few = chance.sample(sorted(set(KINDS)), chance.choice((2, 3, 5)))
        kinds = [kind for kind in KINDS if kind in few]
    if chance.random() < 0.5:
        names = tuple(chance.sample(NAMES, chance.choice((1, 2))))
    return kinds, names


def _step(chance: random.Random, kinds: list[str], names: tuple[str, ...]) -> Step:
    kind = chance.choice(kinds)
    path = chance.choice(names)
    if kind in ("mkdir", "rmdir"):
        return (kind, chance.choice(DIRECTORIES) if names is not OTHERS else "/y")
    if kind in ("read", "hold"):
        path = chance.choice((*NAMES, *OTHERS))  # each host looks at what the other changes
    if kind == "list":
        path = chance.choice(("/", "/d"))
    choices = {"rename": (names,), **ARGUMENTS}.get(kind, ())
    return (kind, path, *(str(chance.choice(some)) for some in choices))


ARGUMENTS: dict[str, tuple[tuple[object, ...], ...]] = {
    "write": (SIZES, ("", "", "fsync")),
    "exclusive": (SIZES, ("", "", "fsync")),
    "update": ((0, 5, 70), (1, 80)),
    "append": ((1, 70),),
    "save": (SIZES, ("", "fsync")),
    "tag": (("k", "l"), ("v", "w")),
    "untag": (("k", "l"),),
    "chmod": (("k", "l"),),
    "read": ((0, 1),),
    "hold": ((0, 1),),
}
"""What else a step is given, and of what that is chosen."""

SERVICES = (*(("",) * 97), "oss", "obs", "s3")
"""Over whose wire: a run over one costs as much as five."""

SLOWEST = ("list", "list", "delete", "put", "head", "lookup", "copy", "get_tags", "get")

KINDS = (
    "write write write exclusive update append save save rename rename unlink unlink "
    "read hold hold tag tag untag chmod touch list stat pause mkdir rmdir"
).split()
