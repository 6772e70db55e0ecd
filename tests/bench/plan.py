"""Which runs are made, in which order: what must be shown first, then the rest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.again import again
from tests.bench.making import making
from tests.bench.moving import moving
from tests.bench.service import Fill
from tests.bench.subjects import Subject
from tests.bench.tagging import tagging
from tests.bench.walking import shared_fills, walking
from tests.bench.workload import SHARED, Sizes, Workload


def workloads(sizes: Sizes) -> list[Workload]:
    """Return all rows, those that must be shown first."""
    rows = [*walking(sizes), *making(sizes), *moving(sizes), *tagging(sizes), *again(sizes)]
    return sorted(rows, key=lambda row: not row.must)


MUST = frozenset(row.id for row in workloads(Sizes()) if row.must)
AT_ZERO = frozenset(
    "ls-l cat cp-out ls ls-medium find stat missing create cp-in rsync mv-directory rm-r symlinks "
    "getfattr setfattr tag read write mv-file readers random-4k edit append".split()
)
AT_FIVE = frozenset("ls-l cat create cp-in read write getfattr mv-directory edit".split())
QUICK = frozenset(
    "ls-l cat cp-out create cp-in rsync mv-directory read write edit append getfattr tag find "
    "rm-r random-4k symlinks".split()
)


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes:
        stages: latency in seconds and which workloads, in order of measuring; None: all. What an
            earlier stage measured is not measured again.
        repeat: runs of main subjects; others run once.
        timeout: seconds after which a run is ended.
        enough: seconds that one subject may spend on one row before it is not repeated.
        minutes: after that no further row is begun.
    """

    sizes: Sizes = field(default_factory=Sizes)
    stages: tuple[tuple[float, frozenset[str] | None], ...] = (
        (0.02, MUST),
        (0.0, AT_ZERO),
        (0.02, None),
        (0.005, AT_FIVE),
    )
    repeat: int = 3
    timeout: float = 60.0
    enough: float = 6.0
    minutes: float = 40.0
    extras: bool = True


FULL = Profile()
QUICK_PROFILE = Profile(
    sizes=Sizes(
        small=300, medium=1000, many=5000, made=60, tree=20, sample=40, large=64 * 2**20, reads=64
    ),
    stages=((0.02, QUICK), (0.0, QUICK)),
    repeat=1,
    timeout=25.0,
    minutes=8.0,
    extras=False,
)
TINY_PROFILE = Profile(
    sizes=Sizes(
        small=30, medium=40, many=50, made=20, tree=10, sample=10, large=8 * 2**20, reads=8
    ),
    stages=((0.02, None), (0.0, None)),
    repeat=1,
    timeout=30.0,
    minutes=60.0,
)
PROFILES = {"full": FULL, "quick": QUICK_PROFILE, "tiny": TINY_PROFILE}


def takes_part(workload: Workload, subject: Subject, *, extras: bool) -> bool:
    """Say whether a subject is measured in a row."""
    if workload.wants & subject.lacks:
        return False
    if not workload.mounted and subject.command and subject.id not in ("tagfs", "oss"):
        return False
    if (subject.threads and workload.sdk is None) or (subject.disk and workload.disk is None):
        return False
    if subject.id in workload.extras:
        return extras or bool(subject.threads) or subject.disk
    return subject.main and workload.main


@dataclass(frozen=True)
class Cell:
    """One subject's share of a row, with a bucket for each of its runs."""

    workload: Workload
    subject: Subject
    buckets: tuple[str, ...]


def rows(
    profile: Profile, subjects: Sequence[Subject], wanted: Callable[[str], bool]
) -> Iterator[list[Cell]]:
    """Yield what is measured of the wanted workloads, row by row."""
    for workload in workloads(profile.sizes):
        if not wanted(workload.id):
            continue
        cells = []
        for subject in subjects:
            if not takes_part(workload, subject, extras=profile.extras):
                continue
            runs = profile.repeat if subject.main or subject.repeats else 1
            name = f"{workload.id}-{subject.id}"
            own = tuple(f"{name}-{run}" for run in range(runs))
            cells.append(Cell(workload, subject, own if workload.fills is not None else
                              (SHARED,) * runs))  # fmt: skip
        if cells:
            yield cells


def buckets(
    plan: Sequence[Sequence[Cell]], sizes: Sizes, service: str
) -> dict[str, tuple[Fill, ...]]:
    """Return the buckets that a plan needs on one service, and what they hold."""
    found: dict[str, tuple[Fill, ...]] = {}
    for cell in (cell for row in plan for cell in row if cell.subject.service == service):
        fills = cell.workload.fills
        for bucket in cell.buckets:
            found[bucket] = shared_fills(sizes) if fills is None else fills
    return found
