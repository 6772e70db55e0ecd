"""`scripts/ceph` brings up a cluster that takes objects, and leaves nothing of it behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ceph import DAEMONS, SETUP, install, processes
from tests.emulated import CannotRun
from tests.judges import s3_client
from tests.mounting import wait_for

pytestmark = [pytest.mark.ceph, pytest.mark.service, pytest.mark.slow]
SCRIPT = SETUP.with_name("ceph")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    try:
        install()
    except CannotRun as reason:
        pytest.skip(str(reason))
    yield tmp_path / "cluster"
    ceph("stop", tmp_path / "cluster")


def ceph(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_start_and_stop(directory: Path) -> None:
    started = ceph("start", directory)
    assert started.returncode == 0, started.stderr
    url = started.stdout.partition("endpoint=")[2].partition(",")[0]
    client = s3_client(url)
    client.put_object(Bucket="first-bucket", Key="k", Body=b"x")
    client.close()
    pids = [int((directory / f"{name}.pid").read_text()) for name in DAEMONS]
    again = ceph("start", directory)
    assert (again.returncode, again.stderr) == (1, f"ceph: {directory} is not empty\n")
    assert ceph("stop", directory).returncode == 0
    for pid in pids:
        command = Path(f"/proc/{pid}/cmdline")
        assert not command.exists() or str(directory) not in command.read_text()
    assert not directory.exists()


@pytest.mark.parametrize("moment", ["mon.pid", "osd.pid", "up"])
def test_a_killed_user_leaves_no_cluster(directory: Path, moment: str) -> None:
    """Killed while the cluster comes up, or when it is there."""
    directory.mkdir()
    code = "import pathlib, sys; from tests.ceph import ceph\n"
    code += "with ceph(pathlib.Path(sys.argv[1])): print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, directory],
        cwd=SETUP.parent.parent,
        env={**os.environ, "TMPDIR": str(directory)},
        stdin=subprocess.PIPE,  # closed with this process, and then the user ends, too
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdout is not None
        if moment == "up":
            assert user.stdout.readline() == "up\n"
        wait_for(lambda: any(directory.iterdir()))
        (state,) = directory.iterdir()
        wait_for(lambda: moment == "up" or (state / moment).exists())
        user.kill()
    wait_for(lambda: not state.exists(), 30)
    assert processes(state) == []


def test_what_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    stopped = ceph("stop", tmp_path)
    assert (stopped.returncode, stopped.stderr) == (1, f"ceph: there is no cluster in {tmp_path}\n")
    assert ceph().returncode == 1
    assert (tmp_path / "f").exists()
