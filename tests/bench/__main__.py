"""`scripts/bench`: tagfs, s3fs and rclone mount side by side: cold mounts, medians, ratios.

Writes results.json, results.md and charts into --out; README.md there says how to read them.
"""

import argparse
import fnmatch
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.bench import charts, tables
from tests.bench.plan import PROFILES, Profile, workloads
from tests.bench.results import load
from tests.bench.session import Session
from tests.bench.subjects import Subject, subjects

OUT = Path("docs/bench")
COUNTS = "10000,100000,1000000"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--profile", choices=list(PROFILES), default="full")
    parser.add_argument("--quick", action="store_true", help="the same as --profile quick")
    parser.add_argument("--latency", help="seconds per request, several by ','")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--minutes", type=float, help="begin no row later than this")
    parser.add_argument("--timeout", type=float, help="seconds that one run may take")
    parser.add_argument("--only", default="*", help="rows, as patterns by ','; see --list")
    parser.add_argument("--subjects", default="*", help="columns, as patterns by ','")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N")
    parser.add_argument("--list", action="store_true", help="name all rows, columns and sizes")
    stages = "start,memory,rows"
    parser.add_argument("--stages", default=stages, help="of start, memory, rows, scale")
    parser.add_argument("--scale", action="store_true", help="the same as --stages scale")
    parser.add_argument("--counts", default=COUNTS, help="objects, for the stage scale")
    parser.add_argument("--report", nargs="+", type=Path, metavar="JSON", help="only render these")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--json", default="", help="name of the JSON file in --out")
    return parser


def _chosen(profile: Profile, options: argparse.Namespace) -> Profile:
    given = {
        name: getattr(options, name)
        for name in ("repeat", "minutes", "timeout")
        if getattr(options, name) is not None
    }
    sizes = {name: int(value) for name, _, value in (text.partition("=") for text in options.size)}
    if options.latency:
        wanted = {float(text) for text in options.latency.split(",")}
        left = tuple(stage for stage in profile.stages if stage[0] in wanted)
        given["stages"] = left or tuple((latency, None) for latency in sorted(wanted))
    return replace(profile, sizes=replace(profile.sizes, **sizes), **given)


def _matches(patterns: str, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split(","))


def main() -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unmounts and saves, as Ctrl-C does
    profile = _chosen(PROFILES["quick" if options.quick else options.profile], options)
    if options.report:
        run = load(options.report)
        tables.write(run, options.out)
        charts.draw(run, options.out)
        return
    found = [s for s in subjects() if _matches(options.subjects, s.id)]
    if options.list:
        _show(profile, found)
        return
    stages = ["scale"] if options.scale else options.stages.split(",")
    file = options.json or ("results.json" if "rows" in stages else f"{stages[0]}.json")
    session = Session(profile, found, options.out, file)
    try:
        if "start" in stages:
            session.start()
        if "memory" in stages:
            session.memory()
        if "rows" in stages:
            session.measure(lambda name: _matches(options.only, name))
        if "scale" in stages:
            session.scale([int(text) for text in options.counts.split(",")])
    finally:
        session.save()
        charts.draw(load(options.out.glob("*.json")), options.out)
        print(f"see {options.out}/results.md")


def _show(profile: Profile, found: list[Subject]) -> None:
    for workload in workloads(profile.sizes):
        print(f"row     {workload.id:16} {workload.title}")
    for subject in found:
        print(f"column  {subject.id:16} {subject.title}")
    for name, value in vars(profile.sizes).items():
        print(f"size    {name:16} {value:,}")


if __name__ == "__main__":
    main()
