"""rclone's S3 server: it ignores sub-resources and conditions, and answers ranges with 200."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.emulated import Emulator, wait_for_port
from tests.judges import KEY_ID, SECRET
from tests.ports import free_port


def find_rclone() -> str | None:
    """Return the rclone that has the server: PyPI's, for Debian's is older."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.exists() else shutil.which("rclone")


@contextlib.contextmanager
def rclone(directory: Path, buckets: int = 50, options: tuple[str, ...] = ()) -> Iterator[Emulator]:
    """Run it on directories that are its buckets, so that what it has can be looked at."""
    program = find_rclone()
    assert program is not None
    port = free_port()
    data = directory / "data"
    names = [f"bucket-{number}" for number in range(buckets)]
    for name in names:
        (data / name).mkdir(parents=True)
    command = [program, "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{KEY_ID},{SECRET}", *options, str(data)]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, stderr=log, stdout=log) as process,
    ):
        try:
            wait_for_port(port, process)
            yield Emulator("s3", f"http://127.0.0.1:{port}", iter(names), directory / "none")
        finally:
            process.terminate()
            process.wait(60)
