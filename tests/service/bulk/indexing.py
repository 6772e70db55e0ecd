"""How tests run `tagfs index`."""

import os
import subprocess
import sys
from pathlib import Path

from tests import zygote
from tests.mounting import KEYS
from tests.service.bulk.conftest import Ran, Subject


def _words(subject: Subject, cache: Path, words: tuple[str, ...]) -> list[str]:
    targets = () if any("/" in word and "=" not in word for word in words) else (subject.url,)
    where = ("-o", f"cache_dir={cache}")
    if any(subject.url == word for word in words):
        targets = ()
    return ["index", *words, *targets, *subject.connection, *where]


def run_index(subject: Subject, cache: Path, *words: str, status: int = 0) -> Ran:
    """Run it; it must end with `status`."""
    done = zygote.run(*_words(subject, cache, words), env=KEYS)
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in ran.err, ran.err
    assert ran.status == status, ran
    return ran


def start_index(subject: Subject, cache: Path, *words: str) -> subprocess.Popen[bytes]:
    """Begin it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tagfs", *_words(subject, cache, words)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **KEYS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
