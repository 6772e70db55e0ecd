"""`negative_ttl`: how long a cache believes that nothing is there."""

import pytest

from tagfs.errors import NotFound
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket


def _has(cache: CachedBucket, key: str) -> bool:
    try:
        cache.head(key)
    except NotFound:
        return False
    return True


LOOKS = {
    "lookup": lambda cache, key: cache.lookup(key).info is not None,
    "head": _has,
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("negative_ttl", "seconds", "seen"),
    [
        (None, 59, False),
        (None, 61, True),
        (5, 4, False),
        (5, 6, True),
        (0, 0.1, True),
        (90, 61, True),
    ],
)
def test_an_absence_is_believed_for_so_long(look, listed, negative_ttl, seconds, seen) -> None:
    now = [1000.0]
    bucket = MemoryBucket()
    bucket.put("d/other", BytesSource(b"x"), NewObject())
    cache = CachedBucket(
        bucket, ttl=60, tag_ttl=60, negative_ttl=negative_ttl, clock=lambda: now[0]
    )
    if listed:
        list(cache.scan("d/"))
    assert not LOOKS[look](cache, "d/f")
    bucket.put("d/f", BytesSource(b"made elsewhere"), NewObject())
    now[0] += seconds
    assert LOOKS[look](cache, "d/f") is seen


def test_what_is_there_is_believed_for_ttl() -> None:
    """A directory without an object of its name is no absence."""
    now = [1000.0]
    bucket = MemoryBucket()
    bucket.put("d/f", BytesSource(b"x"), NewObject())
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60, negative_ttl=1, clock=lambda: now[0])
    assert cache.lookup("d").is_prefix
    assert cache.lookup("d/f").info
    before = cache.stats.misses
    now[0] += 30
    assert cache.lookup("d").is_prefix
    assert cache.lookup("d/f").info
    assert cache.stats.misses == before
