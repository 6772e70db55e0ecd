"""The simulation for long: `scripts/soak` has it; by hand `python -m tests.simulation --seed 7`."""

import argparse
import itertools
import sys
import time

from tests.simulation.runs import run, shortest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first, or the only one")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds; 0: until --seconds")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--keep-going", action="store_true", help="after a violation")
    chosen = parser.parse_args()
    began, wrong, done = time.monotonic(), 0, 0
    for seed in itertools.count(chosen.seed):
        if done == chosen.runs != 0 or time.monotonic() - began > chosen.seconds:
            break
        outcome = run(seed)
        done += 1
        if outcome.wrong:
            wrong += 1
            print(outcome if chosen.runs == 1 else f"seed {seed}: {outcome.wrong}", flush=True)
            if not chosen.keep_going:
                print("\nthe shortest that was found:\n", shortest(outcome))
                break
        elif chosen.runs == 1:
            print(outcome)
    print(f"{done} runs, {wrong} wrong, {time.monotonic() - began:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
