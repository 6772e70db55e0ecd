"""What a row of the tables is: what is there before, what is done, and when it is done."""

import math
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.service import REGIONS, SCHEMES, Fill, Listed

SMALL = 1000
PAGE = 1000
TAGS = (("team", "blue"), ("retention", "7y"))
SHARED = "shared"

Objects = Mapping[str, Listed]


@dataclass(frozen=True)
class Sizes:
    """How much there is to do.

    Attributes:
        small: files in a directory that is walked or read.
        medium: files in a directory that is listed.
        many: the same for the largest one.
        made: files that are made one after the other; half as many are tagged, a quarter are links.
        tree: files of a source tree in ten directories, with all that tools do to each.
        sample: paths that are looked up.
        large: bytes of the large object.
        reads: random reads.
    """

    small: int = 1000
    medium: int = 10_000
    many: int = 100_000
    made: int = 200
    tree: int = 60
    sample: int = 50
    large: int = 512 * 2**20
    reads: int = 128


@dataclass(frozen=True)
class Place:
    """Where a workload works: a mount, local scratch space, and the bucket itself.

    Attributes:
        scratch: the directory of the mount's caches.
    """

    point: Path
    local: Path
    scratch: Path
    service: str
    endpoint: str
    bucket: str
    sizes: Sizes

    @property
    def url(self) -> str:
        """The bucket as tagfs names it."""
        return f"{SCHEMES[self.service]}://{self.bucket}"

    @property
    def options(self) -> str:
        """How tagfs's commands reach the service."""
        return f"endpoint={self.endpoint},region={REGIONS[self.service]}"


@dataclass(frozen=True)
class Workload:
    """One row.

    Attributes:
        run: works in a place; may return the seconds it took, where a tool measures better.
        fills: objects of a bucket of its own; None: it only reads, from the shared bucket.
        prepare: makes local files before the clock starts.
        before: works on an earlier mount, whose local files (cache, index) are there again.
        warm: works on the same mount before the clock starts and requests are counted.
        disk: makes in a plain directory what the row finds in a mount, for the local disk's column.
        done: from the objects before and now, whether the change has reached the service.
        sdk: what a script with `threads` threads would do in its place, on boto3's client.
        factor: how many times faster than the better peer tagfs has to be at 20 ms.
        must: True for the rows that are measured first.
        metadata: True where no content is moved.
        deferred: True where rclone answers before the service has the content, as tagfs does with
            `durability=local`: each is compared with those that answer as early.
        files: how many a run makes, to report the CPU of each.
        budgets: requests that a run may cost, by subject.
        extras: subjects beside the main ones.
        main: False: the extras only, for the others would take minutes.
        mounted: False: tagfs works on the URL, the others do not take part.
        patience: seconds after which a run is ended, where that is earlier than usual.
        asked: bytes that the workload asks for, to report what was fetched in vain.
    """

    id: str
    title: str
    run: Callable[[Place], float | None]
    fills: tuple[Fill, ...] | None = None
    prepare: Callable[[Path, Sizes], object] | None = None
    before: Callable[[Place], object] | None = None
    warm: Callable[[Place], object] | None = None
    disk: Callable[[Path, Sizes], object] | None = None
    done: Callable[[Objects, Objects], bool] | None = None
    sdk: Callable[[Any, Place, int], object] | None = None
    factor: float = 1.0
    must: bool = False
    metadata: bool = False
    deferred: bool = False
    files: int = 0
    budgets: Mapping[str, int] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    wants: frozenset[str] = field(default_factory=frozenset)
    main: bool = True
    mounted: bool = True
    patience: float = 3600.0
    asked: int = 0


def listing(count: int) -> int:
    """Return what a listing of so many may cost: its pages, and two to look its directory up."""
    return math.ceil(count / PAGE) + 2


def detailed(count: int) -> int:
    """Return the same of a listing with tags: an object is compared with its own HEAD and tags."""
    return listing(count) + 3


def sh(command: str, *paths: Path | str) -> None:
    """Run a shell command whose `{}` are paths; its failure is an error, its output nobody's."""
    text = command.format(*(shlex.quote(str(path)) for path in paths))
    done = subprocess.run(
        text, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"{command}: exit {done.returncode}: {' / '.join(said[:2])}")
