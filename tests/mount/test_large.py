"""Large objects: every byte arrives, moves once, and stays neither in memory nor on the disk.

`TAGFS_LARGE_MIB=4096` makes the largest file of these tests 4 GiB.
"""

import errno
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.conftest import MountFactory
from tests.mounting import Mounted, RequestLog, run, wait_for

MIB = 1024**2
LARGE = int(os.environ.get("TAGFS_LARGE_MIB", "256")) * MIB
MEMORY = 64 * MIB
PART = 8 * MIB
"""Bytes of a part unless the user chose."""

SLACK = 64 * 1024
"""Bytes of XML and the like."""


def blocks(size: int) -> Iterator[bytes]:
    """Return content without repetition."""
    for number in range(size // MIB):
        yield hashlib.shake_128(number.to_bytes(8, "big")).digest(MIB)


def write(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        for block in blocks(size):
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak_memory(mount: Mounted) -> int:
    status = Path(f"/proc/{mount.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def moved(log: RequestLog, direction: str) -> int:
    return int(sum(row[direction] for row in log.rows()))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_in_and_out(mount_with: MountFactory) -> None:
    """Each byte is sent once, in parts while the file is written, and fetched once; memory stays
    below `memory` + 120 MiB, the staging disk is freed."""
    mount = mount_with(f"memory={MEMORY}")
    log = mount.requests()
    digest = write(mount.path / "f", LARGE)
    assert LARGE <= moved(log, "bytes_in") <= LARGE + SLACK
    assert 1 < log.kinds()["PUT partNumber"] <= LARGE / PART + 1  # they grow with the file
    wait_for(lambda: not mount.staged())
    theirs = hashlib.sha256()
    for chunk in mount.sdk.get_object("f"):
        theirs.update(chunk)
    assert theirs.hexdigest() == digest
    mount.forget()
    log = mount.requests()
    assert digest_of(mount.path / "f") == digest
    assert LARGE <= moved(log, "bytes_out") <= LARGE + SLACK
    assert peak_memory(mount) < MEMORY + 120 * MIB


@pytest.mark.slow
class TestEdits:
    @pytest.fixture
    def large(self, mount_with: MountFactory) -> Mounted:
        mount = mount_with()
        content = b"".join(blocks(64 * MIB)) + b"and a bit"
        mount.sdk.put_object("f", content, headers={"x-oss-tagging": "k=v"})
        return mount

    @pytest.mark.parametrize("offset", [0, 20 * MIB + 5, 64 * MIB + 8])
    def test_one_byte(self, large: Mounted, offset: int) -> None:
        """At most 7 requests and one for the ACL; at most two parts' bytes moved."""
        before = large.content("f")
        (large.path / "f").stat()
        log = large.requests()
        with (large.path / "f").open("r+b", buffering=0) as file:
            file.seek(offset)
            file.write(b"!")
        assert len(log) - log.kinds()["GET acl"] <= 7, log.kinds()
        assert log.kinds()["GET acl"] <= 1
        assert moved(log, "bytes_in") + moved(log, "bytes_out") <= 2 * PART + SLACK
        assert large.content("f") == before[:offset] + b"!" + before[offset + 1 :]
        assert large.tags("f") == {"k": "v"}

    def test_append_and_truncate(self, large: Mounted) -> None:
        """Neither downloads what the service can copy."""
        before = large.content("f")
        (large.path / "f").stat()
        log = large.requests()
        run("sh", "-c", "printf more >> f", cwd=large.path)
        os.truncate(large.path / "f", 50 * MIB)
        assert moved(log, "bytes_in") + moved(log, "bytes_out") <= 4 * PART + SLACK
        assert large.content("f") == before[: 50 * MIB]
        assert large.tags("f") == {"k": "v"}

    def test_random_reads_fetch_little(self, large: Mounted) -> None:
        log = large.requests()
        with (large.path / "f").open("rb", buffering=0) as file:
            for number in range(64):
                file.seek(number * 37 % 64 * MIB + 12_345)
                assert len(file.read(4096)) == 4096
        assert moved(log, "bytes_out") <= 64 * 4096 * 50


@pytest.mark.services("oss", "obs")
class TestAppendable:
    """An object whose type is Appendable and that is only appended to is extended by AppendObject
    with the new bytes alone, position-checked."""

    @pytest.fixture
    def appendable(self, mount: Mounted) -> Mounted:
        mount.judge.append("log", 0, b"first\n" * 1000, {"k": "v"})
        (mount.path / "log").stat()
        return mount

    def test_new_bytes_alone(self, appendable: Mounted) -> None:
        log = appendable.requests()
        run("sh", "-c", "echo more >> log", cwd=appendable.path)
        assert log.kinds() == {"POST append": 1}
        assert moved(log, "bytes_in") == 5
        run("sh", "-c", "echo even more >> log", cwd=appendable.path)
        assert appendable.content("log") == b"first\n" * 1000 + b"more\neven more\n"
        assert appendable.tags("log") == {"k": "v"}
        assert appendable.judge.head("log").type == "Appendable"

    def test_a_foreign_append_is_not_overwritten(self, appendable: Mounted) -> None:
        file = (appendable.path / "log").open("ab", buffering=0)
        file.write(b"ours\n")
        appendable.judge.append("log", 6000, b"theirs\n")
        with pytest.raises(OSError) as caught:
            file.close()
        assert caught.value.errno == errno.EIO
        assert appendable.content("log") == b"first\n" * 1000 + b"theirs\n"
        named = re.search(r"is kept in (\S+\.data)", appendable.log())
        assert named is not None
        assert Path(named[1]).read_bytes().endswith(b"ours\n")

    def test_an_edit_makes_it_a_normal_object(self, appendable: Mounted) -> None:
        with (appendable.path / "log").open("r+b") as file:
            file.write(b"F")
        assert appendable.content("log") == b"First\n" + b"first\n" * 999
        assert appendable.tags("log") == {"k": "v"}
        assert appendable.judge.uploads() == []


@pytest.mark.services("oss", "obs")
def test_new_logs_become_appendable_objects(mount_with: MountFactory) -> None:
    """Creating appendable objects is asked for by `-o append_objects=GLOB`."""
    mount = mount_with("append_objects=*.log")
    with (mount.path / "app.log").open("wb") as file:
        file.write(b"first\n")
        os.setxattr(file.fileno(), "user.tag.k", b"v")
    (mount.path / "other").write_bytes(b"x")
    assert mount.judge.head("app.log").type == "Appendable"
    assert mount.judge.head("other").type != "Appendable"
    (mount.path / "app.log").stat()
    log = mount.requests()
    with (mount.path / "app.log").open("ab") as file:
        file.write(b"second\n")
    assert log.kinds() == {"POST append": 1}
    assert log.rows()[0]["bytes_in"] == 7
    assert mount.content("app.log") == b"first\nsecond\n"
    assert mount.tags("app.log") == {"k": "v"}
    mtime = (mount.path / "app.log").stat().st_mtime
    assert abs(mtime - time.time()) < 60
