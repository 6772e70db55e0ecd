"""Feeds one target by coverage until the time is up: python -m tests.fuzzing TARGET [--seconds N].

Needs atheris (extra `fuzz`). Exit status 0: nothing was found. What is found is shown, and kept in
the directory of the corpus as crash-*, timeout-* or oom-*.
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import atheris

SLOW = 10
"""Seconds that a target may take for any input, on a machine that does other things."""

MEMORY = 1024
"""MiB that it may use."""


def main() -> None:
    with atheris.instrument_imports(include=["tagfs", "tomllib", "configparser", "csv", "json"]):
        from tests.fuzzing.targets import TARGETS  # noqa: PLC0415  (what is imported is counted)

    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="kept from one run to the next")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    corpus = chosen.corpus or Path(tempfile.mkdtemp(prefix="tagfs-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    target = TARGETS[chosen.target]
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={chosen.seconds}",
        f"-timeout={SLOW}",
        f"-rss_limit_mb={MEMORY}",
        f"-seed={chosen.seed}",
        f"-artifact_prefix={corpus}/",
        "-max_len=2000",
        "-print_final_stats=1",
        "-verbosity=0",
    )
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
