"""Content on disk (`cache_size`): a second read asks for the version alone, after a remount too."""

import os
from pathlib import Path
from typing import Any

import pytest

from tagfs.blockcache.block_files import BLOCK
from tests.emulated import Emulator
from tests.mounting import Mounted, mounted, wait_for

MIB = 1024 * 1024
CONTENT = os.urandom(12 * MIB + 5)


def read(mount: Mounted, name: str = "f") -> tuple[bytes, list[dict[str, Any]]]:
    """Read a file anew; return its content, and what GET was asked for it."""
    mount.forget_in_kernel()
    log = mount.requests()
    content = (mount.path / name).read_bytes()
    return content, [row for row in log.rows() if row["method"] == "GET" and row["key"] == name]


def fetched(rows: list[dict[str, Any]]) -> int:
    return sum(int(row["bytes_out"]) for row in rows)


@pytest.mark.services("oss", "s3")
def test_the_second_read_is_of_the_disk(service: Emulator, bucket: str, tmp_path: Path) -> None:
    """D1, D3: and of the version that is there."""
    kept = f"cache_size=100M,cache_dir={tmp_path / 'kept'}"
    with mounted(service, bucket, tmp_path / "one", kept) as mount:
        mount.judge.put("f", CONTENT, {})
        content, rows = read(mount)
        assert content == CONTENT
        assert fetched(rows) == len(CONTENT)
        blocks = -(-len(CONTENT) // BLOCK)  # what was read ahead is kept behind the reader's back
        wait_for(lambda: len(list(tmp_path.glob("kept/content/?/?*[!p]"))) == blocks)
        content, rows = read(mount)
        assert content == CONTENT
        assert (len(rows), fetched(rows)) == (1, 1)
    with mounted(service, bucket, tmp_path / "two", kept) as mount:
        content, rows = read(mount)
        assert content == CONTENT
        assert (len(rows), fetched(rows)) == (1, 1)
        status = mount.status()
        assert status["content_hits"] > 0
        assert status["content_misses"] == 0
        with (mount.path / "f").open("rb") as file:
            file.seek(5 * MIB)
            assert file.read(MIB) == CONTENT[5 * MIB :][:MIB]
        changed = CONTENT[::-1]
        mount.judge.put("f", changed, {})
        content, rows = read(mount)
        assert content == changed
        assert fetched(rows) >= len(changed)
        with (mount.path / "f").open("r+b") as file:
            file.seek(6 * MIB)
            file.write(b"here")
        written = changed[: 6 * MIB] + b"here" + changed[6 * MIB + 4 :]
        assert mount.content("f") == written
        assert read(mount)[0] == written
