"""What was measured: one record for each run, kept as JSON, and the statistics of several."""

import json
import os
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """One run of one workload by one subject. Times are seconds, sizes bytes.

    Attributes:
        seconds: until the tool returned.
        settled_seconds: until the content was on the service as well.
        cpu_seconds: of the subject's process; `service_cpu_seconds`: of the service's.
        peak_mib: the subject's largest resident set; 0 where there is no mount.
        asked: bytes that the workload asked for, 0: not known.
        timed_out: it was ended when it had taken `seconds`.
        error: why the run counts as failed, "" if it does not.
    """

    workload: str
    title: str
    subject: str
    subject_title: str
    latency: float
    seconds: float
    settled_seconds: float
    requests: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    cpu_seconds: float = 0.0
    service_cpu_seconds: float = 0.0
    peak_mib: float = 0.0
    asked: int = 0
    timed_out: bool = False
    error: str = ""

    @property
    def count(self) -> int:
        """Return the number of requests."""
        return sum(self.requests.values())


@dataclass
class Run:
    """All that one or several runs of the program measured.

    Attributes:
        facts: versions, sizes, machine; by name.
        light: by latency as text, what plain HTTP loops reached.
        memory: by name, MiB of resident memory of a tagfs mount.
        start: by command, what its start took.
        scale: rows of the scale stage.
    """

    facts: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    light: dict[str, dict[str, float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    start: dict[str, dict[str, float]] = field(default_factory=dict)
    scale: list[dict[str, Any]] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write everything, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1) + "\n")
        part.replace(file)

    def latencies(self) -> list[float]:
        """Return the latencies that were measured, the largest first."""
        return sorted({result.latency for result in self.results}, reverse=True)

    def of(self, workload: str, subject: str, latency: float) -> list[Result]:
        """Return the runs of one cell."""
        return [
            r
            for r in self.results
            if (r.workload, r.subject, r.latency) == (workload, subject, latency)
        ]


def load(files: Iterable[Path]) -> Run:
    """Merge what several runs wrote; what two of them measured is taken from the later one."""
    merged, known = Run(), {item.name for item in fields(Result)}
    texts = [json.loads(file.read_text()) for file in files]
    texts.sort(key=lambda text: text["facts"]["date"])
    cells: dict[tuple[str, str, float], list[Result]] = {}
    for text in sorted(texts, key=lambda text: bool(text["results"])):
        merged.facts.update(text["facts"])
    for text in texts:
        merged.light.update(text["light"])
        merged.memory.update(text["memory"])
        merged.start.update(text.get("start", {}))
        merged.scale = text["scale"] or merged.scale
        found: dict[tuple[str, str, float], list[Result]] = {}
        for row in text["results"]:
            result = Result(**{k: v for k, v in row.items() if k in known})
            place = (result.workload, result.subject, result.latency)
            found.setdefault(place, []).append(result)
        cells.update(found)
    merged.results = [result for results in cells.values() for result in results]
    return merged


@dataclass(frozen=True)
class Cell:
    """The statistics of one cell; `seconds` are those until the service had everything.

    Attributes:
        spread: half the distance of the slowest from the fastest run.
        at_least: True where no run came to an end: it takes longer than `seconds`.
    """

    seconds: float
    spread: float
    close_seconds: float
    runs: int
    requests: int
    bytes_out: int
    bytes_in: int
    cpu_seconds: float
    service_share: float
    peak_mib: float
    at_least: bool = False
    error: str = ""


def cell(results: list[Result]) -> Cell | None:
    """Return the medians of a cell's runs; None: it was not measured."""
    if not results:
        return None
    good = [r for r in results if not r.error]
    used = good or results
    settled = [r.settled_seconds for r in used]
    shares = [r.service_cpu_seconds / r.settled_seconds for r in used if r.settled_seconds > 0]
    return Cell(
        seconds=statistics.median(settled),
        spread=(max(settled) - min(settled)) / 2,
        close_seconds=statistics.median(r.seconds for r in used),
        runs=len(used),
        requests=round(statistics.median(r.count for r in used)),
        bytes_out=round(statistics.median(r.bytes_out for r in used)),
        bytes_in=round(statistics.median(r.bytes_in for r in used)),
        cpu_seconds=statistics.median(r.cpu_seconds for r in used),
        service_share=statistics.median(shares) if shares else 0.0,
        peak_mib=max(r.peak_mib for r in used),
        at_least=not good and all(r.timed_out for r in results),
        error="" if good else results[0].error,
    )


def machine() -> dict[str, str]:
    """Return what the numbers depend on, of the machine."""
    cpu = Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2].partition("\n")[0]
    return {
        "machine": f"{os.cpu_count()} x {cpu or os.uname().machine}, Linux {os.uname().release}"
    }
