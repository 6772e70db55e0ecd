"""`scripts/seaweed` brings up a server that can be mounted, and ends with Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.foreign_servers import PROGRAMS
from tests.judges import s3_client

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "weed").exists(), reason="SeaweedFS is not installed"
)
COMMAND = [sys.executable, "-m", "tests.seaweed"]
ROOT = Path(__file__).parent.parent.parent


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    words = [*COMMAND, str(tmp_path / "state")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().split()[4]
            s3_client(url).put_object(Bucket="bucket-0", Key="f", Body=b"1")
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert (tmp_path / "state/data").exists()


@pytest.mark.parametrize("words", [[], ["-h"], ["a", "b"]])
def test_usage(words: list[str]) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (1, "usage: scripts/seaweed DIRECTORY\n")
