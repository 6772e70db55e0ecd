"""The long run: everything that the suite does a slice of, until the time is up.

Prints a line for each phase and writes what came of it as JSON. Exit status 1: something was lost,
failed or hung. The same seed begins the same way; how far a phase comes depends on the machine.
"""

import argparse
import faulthandler
import json
import logging
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.soak.phases import PHASES, SERVICES, Beat

HANG = 60.0
"""Seconds that nothing may take."""


class Watchdog:
    """Notices when nothing goes on for a minute, and shows where all threads are."""

    def __init__(self) -> None:
        self.hangs = 0
        self._last = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self) -> None:
        self._last = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(5)
            if time.monotonic() - self._last > HANG:
                self.hangs += 1
                faulthandler.dump_traceback(all_threads=True)
                self.beat()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="in all; default 10")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--summary", type=Path, default=Path("soak.json"), help="where JSON goes")
    parser.add_argument("--fuse", default="auto", help="binding of the mounts: auto, 2 or 3")
    parser.add_argument("--service", default="oss", choices=SERVICES, help="of the siege")
    parser.add_argument("--only", action="append", choices=sorted(PHASES), help="phases; all")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    phases = {name: PHASES[name] for name in PHASES if not chosen.only or name in chosen.only}
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes, FUSE {chosen.fuse}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tagfs-soak-", ignore_cleanup_errors=True) as directory:
        summary = run(phases, chosen, Path(directory))
    chosen.summary.write_text(json.dumps(summary, indent=2) + "\n")
    print(f"totals: {summary['totals']}; see {chosen.summary}")
    return 1 if summary["totals"]["problems"] else 0


def run(phases: dict[str, Any], chosen: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Give each phase its share of the time; return what they report."""
    watchdog = Watchdog()
    shares = sum(phase.share for phase in phases.values())
    reported: dict[str, Any] = {}
    for name, phase in phases.items():
        seconds = chosen.minutes * 60 * phase.share / shares
        place = directory / name.replace(" ", "-")
        place.mkdir()
        reported[name] = _one(
            phase.run, Beat(place, chosen.seed, seconds, watchdog.beat, chosen.fuse, chosen.service)
        )
        print(f"{name}: {reported[name]}", flush=True)
    totals = {
        key: sum(int(one.get(key, 0)) for one in reported.values())
        for key in ("steps", "faults", "kills", "calls")
    }
    problems = [f"{name}: {text}" for name, one in reported.items() for text in one["problems"]]
    problems += [f"{watchdog.hangs} hangs"] * bool(watchdog.hangs)
    return {
        "seed": chosen.seed,
        "minutes": chosen.minutes,
        "fuse": chosen.fuse,
        "totals": {**totals, "hangs": watchdog.hangs, "problems": len(problems)},
        "problems": problems,
        "phases": reported,
    }


def _one(phase: Callable[[Beat], dict[str, Any]], beat: Beat) -> dict[str, Any]:
    began = time.monotonic()
    try:
        reported = phase(beat)
    except Exception as error:  # noqa: BLE001  a phase that breaks is a problem to be reported
        reported = {"problems": [f"{type(error).__name__}: {error}"]}
    return {**reported, "seconds": round(time.monotonic() - began)}


if __name__ == "__main__":
    sys.exit(main())
