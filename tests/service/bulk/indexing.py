"""How tests run `tagfs index`."""

import os
import subprocess
import sys
from collections.abc import Sequence
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


def run_index(subject: Subject, cache: Path, *words: str, status: int | None = 0) -> Ran:
    """Run it; it must end with `status`, if that is given."""
    done = zygote.run(*_words(subject, cache, words), env=KEYS)
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in ran.err, ran.err
    assert status is None or ran.status == status, ran
    return ran


def start_index(
    subject: Subject, cache: Path, *words: str, as_user: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Begin it; `as_user` is the command that becomes another user."""
    return subprocess.Popen(
        [*as_user, sys.executable, "-m", "tagfs", *_words(subject, cache, words)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **KEYS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
