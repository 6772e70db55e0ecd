"""D5. Local disk full is ENOSPC at write, not loss."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import Mounted, mounted


@pytest.fixture
def cramped(service: Emulator, tmp_path: Path) -> Iterator[Mounted]:
    """A mount whose staging directory is a file system of 6 MiB."""
    if os.getuid() != 0:
        pytest.skip("needs root to make a small file system")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(small)], check=True)
    try:
        path = tmp_path / "mnt"
        with mounted(service, service.take(), path, f"cache_dir={small}") as running:
            yield running
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def write(fd: int, size: int) -> None:
    for _ in range(size // 2**20):
        os.write(fd, bytes(2**20))


def test_a_full_disk_is_enospc_at_write(cramped: Mounted) -> None:
    cramped.sdk.put_object("f", b"old", headers={"x-oss-tagging": "k=v"})
    fd = os.open(cramped.path / "f", os.O_WRONLY | os.O_TRUNC)
    with pytest.raises(OSError) as caught:
        write(fd, 20 * 1024**2)
    assert caught.value.errno == errno.ENOSPC
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"what fits", 0)
    os.close(fd)
    assert cramped.content("f") == b"what fits"
    assert cramped.tags("f") == {"k": "v"}


def test_what_was_staged_before_is_given_back(cramped: Mounted) -> None:
    for number in range(8):
        (cramped.path / f"{number}").write_bytes(bytes(4 * 1024**2))
    assert len(cramped.keys()) == 8
