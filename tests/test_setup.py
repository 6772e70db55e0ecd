"""scripts/setup asks for what is missing, and for nothing where all is there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
"""Each of these starts processes."""

ROOT = Path(__file__).parent.parent

BOOKWORM = "installed libfuse2 \ninstalled fuse3 fuse (= 3.14)\ninstalled attr \n"
TRIXIE = (
    "installed libfuse2t64 libfuse2 (= 2.9.9-9)\ninstalled fuse3 fuse (= 3.17)\ninstalled attr \n"
)
ARMHF = TRIXIE.replace("libfuse2 (= 2.9.9-9)", "")
EMPTY = "installed bash \n"
REMOVED = BOOKWORM.replace("installed attr", "config-files attr")
AWK = BOOKWORM + "installed mawk awk\n"

CASES = {
    "Debian 12": (BOOKWORM, "", "", ""),
    "Debian 13, Ubuntu 24.04": (TRIXIE, "libfuse2t64", "", ""),
    "where nothing provides the old name": (ARMHF, "libfuse2t64", "", ""),
    "a new Debian 12": (EMPTY, "libfuse2", "", "libfuse2 fuse3 attr"),
    "a new Debian 13": (EMPTY, "libfuse2t64", "", "libfuse2t64 fuse3 attr"),
    "a package that was taken off again": (REMOVED, "", "", "attr"),
    "more packages, of which some are there": (AWK, "", "awk fuse3 rsync", "rsync"),
}
"""What dpkg has, what apt knows, what is asked for, and what is to be installed."""

FAKES = {
    "dpkg-query": "printf '%s' \"$DPKG\"",
    "apt-cache": 'case " $APT " in *" $2 "*) exit 0 ;; *) exit 100 ;; esac',
    "apt-get": 'echo "$@" >>"$ASKED"',
    "sudo": '"$@"',
    "install": "exit 0",  # the file that keeps services from starting
    "rm": "exit 0",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_asked_for(tmp_path: Path, name: str) -> None:
    dpkg, apt, wanted, expected = CASES[name]
    tools = tmp_path / "bin"
    for directory in ("bin", "scripts", ".venv/bin"):
        (tmp_path / directory).mkdir(parents=True)
    for tool, text in {**FAKES, "../.venv/bin/python": "exit 1"}.items():
        (tools / tool).write_text(f"#!/bin/sh\n{text}\n")
        (tools / tool).chmod(0o755)
    for file in ("scripts/setup", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    done = subprocess.run(
        [tmp_path / "scripts/setup", *wanted.split()],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "DPKG": dpkg,
            "APT": apt,
            "ASKED": str(tmp_path / "asked"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "setup: python packages" in done.stderr, done  # it came that far
    asked = (tmp_path / "asked").read_text().split() if (tmp_path / "asked").exists() else []
    assert [word for word in asked if not word.startswith("-")] == (
        ["install", *expected.split()] if expected else []
    )
