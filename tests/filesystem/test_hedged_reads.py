"""Of a file whose read takes unusually long all bytes are right: it is asked a second time."""

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagfs.fs.content.hedged_reads import SAMPLES, HedgedReads
from tagfs.fs.filesystem import FileSystem
from tagfs.store.objects import BytesSource, Content, NewObject, ObjectInfo
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import POOL, environment_of

DATA = os.urandom(3 * 1024**2 + 5)


class Stuck(MemoryBucket):
    """A bucket in which the first read of some bytes is not answered until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.sticks = -1
        self.asked: list[int] = []

    def get(self, key: str, start: int = 0, *args: Any, **options: Any) -> Content:
        self.asked.append(start)
        if start == self.sticks and self.asked.count(start) == 1:
            assert self.let_go.wait(30)
        return super().get(key, start, *args, **options)


def whole(tree: FileSystem) -> bytes:
    fh, _ = tree.open("/f", os.O_RDONLY)
    step = 128 * 1024
    try:
        return b"".join(bytes(tree.read(fh, at, step)) for at in range(0, len(DATA), step))
    finally:
        tree.flush(fh)
        tree.release(fh)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_read_that_is_stuck_is_asked_again(tmp_path: Path, which: int) -> None:
    starts = asked_by(tmp_path / "plain", sticks=-1)
    stuck = sorted(starts)[which]
    assert sorted(asked_by(tmp_path / "stuck", sticks=stuck)) == sorted([*starts, stuck])


def asked_by(staging: Path, *, sticks: int) -> list[int]:
    """Read a file; return where the ranges began that were asked for."""
    bucket = Stuck()
    bucket.put("f", BytesSource(DATA), NewObject())
    with ThreadPoolExecutor(4, POOL) as executor, ThreadPoolExecutor(20, POOL) as others:
        env = environment_of(bucket, staging, executor)
        hedged = HedgedReads(others, env.budget)
        quick = Content(ObjectInfo(key="f", size=0, etag="", last_modified_ns=0), 0, b"")
        for bits in range(0, 24, 2):
            for _ in range(SAMPLES):
                hedged.read(2**bits, lambda: quick)
        bucket.sticks = sticks
        tree = FileSystem(replace(env, hedged=hedged), dict)
        assert whole(tree) == DATA
        bucket.let_go.set()
        tree.close()
    assert hedged.state()["hedged_reads_won"] == (sticks >= 0)
    assert env.budget.used == 0
    return bucket.asked


def test_contents_that_are_stuck_together_are_asked_for_again(tmp_path: Path) -> None:
    bucket = Stuck()
    sizes = {f"d/{number}": 4096 for number in range(5)}
    for key, size in sizes.items():
        bucket.put(key, BytesSource(DATA[:size]), NewObject())
    asked = threading.Event()
    real = bucket.get_many

    def get_many(wanted: Mapping[str, int]) -> Mapping[str, Content]:
        is_second = asked.is_set()
        asked.set()
        assert is_second or bucket.let_go.wait(30)
        return real(wanted)

    bucket.get_many = get_many  # type: ignore[assignment,method-assign]
    with ThreadPoolExecutor(4, POOL) as executor, ThreadPoolExecutor(20, POOL) as others:
        env = environment_of(bucket, tmp_path, executor)
        hedged = HedgedReads(others, env.budget)
        for _ in range(SAMPLES):
            hedged.read(sum(sizes.values()), dict)
        found = hedged.of(bucket).get_many(sizes)
        bucket.let_go.set()
    assert {key: len(content.data) for key, content in found.items()} == sizes
    assert hedged.state() == {"hedged_reads": 1, "hedged_reads_won": 1}
    assert env.budget.used == 0
