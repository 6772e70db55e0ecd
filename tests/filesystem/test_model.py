"""D1, D2, D5, G4: two hosts on one bucket that refuses and loses replies, against a model of it.

`scripts/soak` runs the same for longer. The cases below it were found by it.
"""

import os
from collections.abc import Iterator

import pytest

from tagfs.errors import AlreadyExists, Unreachable
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.soak.model import PART, World


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_whatever_fails(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    world = World(seed)
    try:
        world.run(2000)
        assert world.trouble.injected > 20
        assert len(world.counts.steps) > 18
    finally:
        world.close()


@pytest.fixture
def world() -> Iterator[World]:
    one = World(0, rate=0)
    yield one
    one.close()


def lose(world: World, operation: str) -> None:
    """Let the next reply to an operation be lost."""

    def after(name: str, _key: str) -> None:
        if name == operation:
            world.bucket.after = None
            raise Unreachable("injected")

    world.bucket.after = after


class TestExclusive:
    """An exclusive file whose first upload got no answer, closed again."""

    def create(self, world: World, data: bytes) -> int:
        fs = world.hosts[0]
        fh = fs.create("/f", 0o644, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        fs.write(fh, 0, data)
        return fh

    @pytest.mark.parametrize("more", [b"", b"more", bytes(PART * 4)])
    def test_it_was_ours(self, world: World, more: bytes) -> None:
        fs, fh = world.hosts[0], self.create(world, b"ours")
        lose(world, "put")
        with pytest.raises(Unreachable):
            fs.fsync(fh)
        if more:
            fs.write(fh, 4, more)
        fs.fsync(fh)
        assert world.bucket.get("f").data == b"ours" + more
        fs.release(fh)

    def test_it_was_another_s(self, world: World) -> None:
        fs, fh = world.hosts[0], self.create(world, b"ours")

        def before(name: str, _key: str) -> None:
            if name == "put":
                world.bucket.before = None
                theirs = NewObject(tags=TagSet({}))
                world.bucket.put("f", BytesSource(b"them"), theirs)
                raise Unreachable("injected")

        world.bucket.before = before
        with pytest.raises(Unreachable):
            fs.fsync(fh)
        with pytest.raises(AlreadyExists):
            fs.fsync(fh)
        assert world.bucket.get("f").data == b"them"
        fs.release(fh)

    @pytest.mark.parametrize("more", [b"", bytes(PART * 4)])
    def test_a_streamed_one_whose_tags_did_not_follow(self, world: World, more: bytes) -> None:
        fs, fh = world.hosts[0], self.create(world, bytes(PART * 4))
        fs.setxattr("/f", "user.tag.team", b"blue", 0)
        lose(world, "put_tags")
        with pytest.raises(Unreachable):
            fs.fsync(fh)
        if more:
            fs.write(fh, PART * 4, more)
        fs.fsync(fh)
        assert world.bucket.get_tags("f") == {"team": "blue"}
        assert world.bucket.get("f").data == bytes(PART * 4) + more
        fs.release(fh)
