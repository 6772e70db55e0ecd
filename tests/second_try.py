"""One more try for a test that failed once, alone, and said aloud: what `scripts/test` ends with.

A run of all tests takes more than ten minutes on a machine that others use as well, and much of
what it looks at the kernel does by itself. One test of ten thousand that looks too early fails it
all. So what failed is run once more when nothing else runs, in a process of its own:

* a test that passes then is named in a line that begins with FLAKY, below the report of how it
  failed. It is a defect, of the test or of the program, and is to be mended;
* a test that fails twice fails the suite;
* more than five that failed are no accident: they fail the suite, and none is tried again.

The file is given with "=": pytest takes a path that stands alone for one of its own, looks there
for its settings, and does without those of pyproject.toml.

As a plugin (`-p tests.second_try --failed-to=FILE`) this writes which tests failed; as a program
(`python -m tests.second_try FILE`) it tries them again.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

MOST = 5
"""So many failures are tried again."""

FAILED_TO = "--failed-to"
HAS_TO_PASS = "--has-to-pass"


class Failures:
    """Writes down what failed, each once, in order."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: dict[str, None] = {}
        file.write_text("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._add(report)

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and report.nodeid not in self._seen:
            self._seen[report.nodeid] = None
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


class Passes:
    """Fails a run in which no test passed: one that is skipped the second time proves nothing."""

    def __init__(self) -> None:
        self._passed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._passed |= report.when == "call" and report.passed

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._passed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FAILED_TO, help="where to write the tests that failed, one a line")
    parser.addoption(HAS_TO_PASS, action="store_true", help="fail if all tests are skipped")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(HAS_TO_PASS):
        config.pluginmanager.register(Passes())
    where = config.getoption(FAILED_TO)
    if where and not hasattr(config, "workerinput"):  # workers report to the one that started them
        config.pluginmanager.register(Failures(Path(where)))


def passes_alone(test: str) -> bool:
    """Run one test in a process of its own, and say whether it passed."""
    print(f"\nSecond try, alone: {test}", flush=True)
    plugin = ["-n", "0", "-p", "no:cacheprovider", "-p", "tests.second_try", HAS_TO_PASS]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, test]
    return subprocess.run(command, check=False).returncode == 0


def second_try(failed: Sequence[str], passes: Callable[[str], bool]) -> tuple[int, list[str]]:
    """Try again what failed; return the suite's exit status, and what to say at its end."""
    if not failed:
        return 1, ["FAILED: the run failed, but no test of it"]
    if len(failed) > MOST:
        return 1, [f"FAILED: {len(failed)} tests; more than {MOST} are not tried again"]
    passed = {test: passes(test) for test in failed}
    lines = [
        f"FLAKY: {test} failed, then passed alone: a defect, to be mended"
        if passed[test]
        else f"FAILED TWICE: {test}"
        for test in failed
    ]
    return int(not all(passed.values())), lines


def main() -> int:
    """Try again what a file names, one test a line."""
    failed = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    status, lines = second_try(failed, passes_alone)
    print("\n" + "\n".join(lines), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
