"""A failed test gets one more try, which hides nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.second_try import FAILED_TO, MOST, second_try

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("failed", "flaky", "status", "lines"),
    [
        ([], [], 1, ["FAILED: the run failed"]),
        (["a"], ["a"], 0, ["FLAKY: a failed, then passed alone"]),
        (["a"], [], 1, ["FAILED TWICE: a"]),
        (["a", "b"], ["b"], 1, ["FAILED TWICE: a", "FLAKY: b"]),
        (["a", "b"], ["a", "b"], 0, ["FLAKY: a", "FLAKY: b"]),
    ],
)
def test_what_a_second_try_says(failed, flaky, status, lines):
    tried: list[str] = []

    def passes(test: str) -> bool:
        tried.append(test)
        return test in flaky

    outcome, said = second_try(failed, passes)
    assert outcome == status
    assert tried == failed  # each once
    for line, start in zip(said, lines, strict=True):
        assert line.startswith(start)


def test_many_failures_are_not_tried_again():
    def passes(test: str) -> bool:
        raise AssertionError(f"{test} was tried")

    status, (line,) = second_try([f"test {n}" for n in range(MOST + 1)], passes)
    assert status == 1
    assert f"FAILED: {MOST + 1} tests" in line


@pytest.mark.slow
def test_a_real_run(tmp_path):
    """As scripts/test does it: with workers, and odd letters in a name."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_some.py").write_text("""
import pathlib, pytest
@pytest.mark.parametrize("name", ["a::b [c] d ü new\\nline"])
def test_flaky(name):
    flag = pathlib.Path("seen")
    seen = flag.exists()
    flag.touch()
    assert seen
def test_skipped():
    flag = pathlib.Path("run")
    if flag.exists(): pytest.skip("there is no server any more")
    flag.touch()
    assert not "wrong"
def test_right(): pass
def test_wrong(): assert not "wrong"
""")
    pytest_ = ["pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "-p", "tests.second_try"]
    first = python(tmp_path, *pytest_, FAILED_TO, "failed")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "3 failed, 1 passed" in first.stdout
    second = python(tmp_path, "tests.second_try", "failed")
    assert second.returncode == 1, second.stdout + second.stderr
    assert "FLAKY: test_some.py::test_flaky[a::b [c] d" in second.stdout, second.stdout
    for wrong in ("wrong", "skipped"):
        assert f"FAILED TWICE: test_some.py::test_{wrong}" in second.stdout


def python(where: Path, *module_and_arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in another directory."""
    return subprocess.run(
        [sys.executable, "-m", *module_and_arguments],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_suite_runs_with_the_settings_of_the_project() -> None:
    """A path that stands alone would be taken for one of tests, and its directory for the root."""
    script = (Path(__file__).parents[1] / "scripts/test").read_text(encoding="utf-8")
    assert f"{FAILED_TO}=" in script
    assert f"{FAILED_TO} " not in script
