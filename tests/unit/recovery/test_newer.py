"""D5. What another client has done since the crash is newer: recovery leaves it, and says so."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagfs.errors import Unreachable
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.crashing import CrashingHost, Found, crashing_host
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import write
from tests.simulation.recovering import left_behind

OLD: Found = {"f": (b"old", 0o644, {"k": "old"})}
THEIRS = (b"theirs", 0o644, {"k": "theirs"})


def put(bucket: MemoryBucket, key: str, data: bytes, **tags: str) -> None:
    """Put an object as an SDK does, whatever the mount waits for."""
    mode = "33188" if not key.endswith("/") else "16877"
    MemoryBucket.put(
        bucket, key, BytesSource(data), NewObject(metadata={"mode": mode}, tags=TagSet(tags))
    )


def replaced(host: CrashingHost) -> None:
    put(host.bucket, "f", b"theirs", k="theirs")


def deleted(host: CrashingHost) -> None:
    host.bucket.delete("f")


def create(host: CrashingHost) -> None:
    write(host.tree, "/f", b"ours")


def rewrite(host: CrashingHost) -> None:
    put(host.bucket, "f", b"old", k="old")
    fh, _ = host.tree.open("/f", os.O_WRONLY | os.O_TRUNC)
    host.tree.write(fh, 0, b"ours")
    host.tree.flush(fh)
    host.tree.release(fh)


def rename(host: CrashingHost) -> None:
    write(host.tree, "/.f.Ab12xY", b"ours")
    host.tree.rename("/.f.Ab12xY", "/f")


def rename_over(host: CrashingHost) -> None:
    put(host.bucket, "f", b"old", k="old")
    rename(host)


def delete(host: CrashingHost) -> None:
    write(host.tree, "/f", b"ours")
    host.tree.unlink("/f")


def mkdir(host: CrashingHost) -> None:
    host.tree.mkdir("/d", 0o700)
    host.tree.setxattr("/d", "user.tag.k", b"ours", 0)


def put_directory(host: CrashingHost) -> None:
    put(host.bucket, "d/", b"", k="theirs")


def tag_after_a_lost_answer(host: CrashingHost) -> None:
    """Upload a file without hearing of it, and go on to tag it."""
    fh = host.tree.create("/f", 0o644, os.O_WRONLY)
    host.tree.write(fh, 0, b"ours")
    host.bucket.loses_answers = True
    with pytest.raises(Unreachable):
        host.tree.fsync(fh)
    host.tree.setxattr("/f", "user.tag.k", b"ours", 0)


def tagged(host: CrashingHost) -> None:
    host.bucket.put_tags("f", TagSet({"k": "theirs"}))


@dataclass(frozen=True)
class Case:
    """What was promised here, what another client did then, and what must be there at the end.

    Attributes:
        kept: what can still be copied out here, with its tags.
    """

    act: Callable[[CrashingHost], None]
    newer: Callable[[CrashingHost], None]
    after: Found
    kept: bytes | None = b"ours"


CASES = {
    "made, and made": Case(create, replaced, {"f": THEIRS}),
    "rewritten, and replaced": Case(rewrite, replaced, {"f": THEIRS}),
    "rewritten, and deleted": Case(rewrite, deleted, {}),
    "renamed, and made": Case(rename, replaced, {"f": THEIRS}),
    "renamed over, and replaced": Case(rename_over, replaced, {"f": THEIRS}),
    "renamed over, and deleted": Case(rename_over, deleted, {}),
    "deleted, and made": Case(delete, replaced, {"f": THEIRS}, kept=None),
    "tagged, and tagged": Case(
        tag_after_a_lost_answer, tagged, {"f": (b"ours", 0o644, {"k": "theirs"})}
    ),
    "a directory, and the same": Case(
        mkdir, put_directory, {"d/": (b"", 0o755, {"k": "theirs"})}, kept=b""
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_stays(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    with crashing_host(tmp_path) as host:
        case.act(host)
        crashed = host.crash(tmp_path / "crashed")
        case.newer(host)
        before = host.found()
        assert host.recover(crashed) == before == case.after
        offered = [one.data for one in left_behind(crashed)]
        assert offered == ([] if case.kept is None else [case.kept])
        assert len([line for line in host.said if "conflict" in line]) == len(offered), host.said
        assert host.recover(crashed) == before, "the second time"


@pytest.mark.parametrize("name", CASES)
def test_without_another_client_it_is_done(tmp_path: Path, name: str) -> None:
    """Or nothing of the above would say anything."""
    case = CASES[name]
    with crashing_host(tmp_path) as host:
        case.act(host)
        crashed = host.crash(tmp_path / "crashed")
        found = host.recover(crashed)
        assert not left_behind(crashed), host.said
        ours = {key: data for key, (data, _mode, _tags) in found.items()}
        assert all(tags.get("k", "ours") != "theirs" for _, _, tags in found.values())
        assert ours == ({} if case.kept is None else {next(iter(found)): case.kept})
