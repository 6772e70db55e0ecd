"""Answers to reads that are not what was asked for: an error, never a part taken for the whole."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tagfs.errors import IntegrityError, MalformedResponse, TagfsError
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.reader import Reader
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.http import retry
from tests.emulated import PAIR
from tests.fakes.loopback import LoopbackServer, answer, error

TEN = b"0123456789"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def script():
    """Return what opens a client of a server that answers from a script."""
    opened: list[Any] = []

    def start(*steps, **chosen):
        server = LoopbackServer(list(steps))
        settings = BucketSettings(service="s3", bucket="bkt", endpoint=server.url, timeout=1)
        client = open_bucket(replace(settings, **chosen), PAIR)
        opened.extend([client, server])
        return client, server

    yield start
    for one in opened:
        one.close()


def part(body, first, total, status=206, last=None):
    last = first + len(body) - 1 if last is None else last
    return answer(status, body, content_range=f"bytes {first}-{last}/{total}")


def many():
    """Write several ranges in one answer."""
    piece = b"--X\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
    return answer(206, piece * 2 + b"--X--\r\n", content_type="multipart/byteranges; boundary=X")


# The server answers a HEAD after a ranged GET with ten bytes, too.
RIGHT = {
    "206 of a part": ((0, 4), part(b"0123", 0, 10), b"0123", 10),
    "206 of a later part": ((6, 4), part(b"6789", 6, 10), b"6789", 10),
    "206 up to the end, which was not known": ((6, 40), part(b"6789", 6, 10), b"6789", 10),
    "206 of the whole, for a range": ((0, 40), part(TEN, 0, 10), TEN, 10),
    "200 with a range": ((0, 4), part(b"0123", 0, 10, status=200), b"0123", 10),
    "200 with a later range": ((6, 4), part(b"6789", 6, 10, status=200), b"6789", 10),
    "200 of the whole, asked for": ((0, None), answer(200, TEN), TEN, 10),
    "200 of the whole, for a range": ((0, 40), answer(200, TEN), TEN, 10),
    "200 of the whole with its range": ((0, None), part(TEN, 0, 10, status=200), TEN, 10),
}

WRONG = {
    "200 of a part, for all": ((0, None), part(b"0123", 0, 10, status=200)),
    "206 of a part, for all": ((0, None), part(b"0123", 0, 10)),
    "206 without a range": ((0, 4), answer(206, b"0123")),
    "206 of several ranges": ((0, 4), many()),
    "206 of another range": ((0, 4), part(b"4567", 4, 10)),
    "206 of an earlier range": ((4, 4), part(b"0123", 0, 10)),
    "206 of less than was asked": ((0, 4), part(b"01", 0, 10)),
    "206 of more than was asked": ((0, 4), part(b"01234", 0, 10)),
    "206 with less than its range": ((0, 4), part(b"01", 0, 10, last=3)),
    "206 with more than its range": ((0, 4), part(b"0123", 0, 10, last=1)),
    "206 of a range that is none": ((0, 4), answer(206, b"0123", content_range="bytes 0-3/*")),
    "206 in other units": ((0, 4), answer(206, b"0123", content_range="lines 0-3/10")),
    "206 beyond its own total": ((0, 4), part(b"0123", 0, 2)),
    "206 without an end": ((0, 4), answer(206, b"0123", content_range="bytes 0-/10")),
    "200 with a range, and another was asked": ((4, 4), part(b"0123", 0, 10, status=200)),
    "200 without a range, for a later one": ((6, 4), answer(200, b"6789")),
    "200 without a range, cut": ((0, 4), answer(200, b"0123")),
    "200 without a range, shorter than asked": ((0, 8), answer(200, b"0123")),
    "200 without a range, longer than asked": ((0, 4), answer(200, TEN)),
    "204": ((0, 4), answer(204, b"")),
    "203 of a part": ((0, 4), answer(203, b"0123")),
    "416 inside of the object": ((4, 4), error(416, "InvalidRange")),
    "416 of an object that is not empty": ((0, 4), error(416, "InvalidRange")),
}


def steps(odd):
    """Answer each GET with `odd`, each HEAD that may follow it with what is there."""
    return [odd, answer(200, b"", content_length="10")] * 4


@pytest.mark.parametrize("case", RIGHT)
def test_what_came_is_what_the_headers_say(script, case):
    (start, length), given, data, total = RIGHT[case]
    client, _ = script(*steps(given))
    content = client.get("k", start, length)
    assert (content.data, content.start, content.info.size) == (data, start, total)


@pytest.mark.parametrize("case", WRONG)
def test_what_was_not_asked_for_is_an_error(script, case):
    (start, length), given = WRONG[case]
    heads = "416" in case or case.startswith(("200 without a range, cut", "200 without a range, s"))
    client, _ = script(*(steps(given) if heads else [given]))
    with pytest.raises(TagfsError) as caught:
        client.get("k", start, length)
    assert isinstance(caught.value, MalformedResponse | IntegrityError)


def test_a_whole_body_for_a_range_is_looked_at_once(script):
    client, server = script(*steps(answer(200, TEN)))
    assert client.get("k", 0, 40).data == TEN
    assert [asked.method for asked in server.asked] == ["GET", "HEAD"]


def test_a_size_other_than_the_one_that_is_known_is_an_error(script):
    cut = part(b"0123", 0, 4)
    client, server = script(
        answer(200, b"", content_length="10"), cut, answer(200, b"", content_length="4"), cut
    )
    cached = CachedBucket(client, ttl=60, tag_ttl=60)
    assert cached.head("k").size == 10
    with pytest.raises(IntegrityError, match="4 bytes where 10 are known"):
        cached.get("k", 0, 4)
    assert cached.known("k") is None  # which of the two was wrong is not known
    assert cached.head("k").size == 4
    assert cached.get("k", 0, 4).data == b"0123"
    assert [asked.method for asked in server.asked] == ["HEAD", "GET", "HEAD", "GET"]


def test_a_reader_notices_that_the_size_of_its_version_changes(script):
    client, _ = script(part(b"0123", 0, 10), part(b"4567", 4, 8))
    with ThreadPoolExecutor(1) as threads:
        reader = Reader(client, "k", threads, MemoryBudget(1 << 20))
        reader.start_with(client.get("k", 0, 4))
        assert bytes(reader.read(0, 4)) == b"0123"
        with pytest.raises(TagfsError):
            reader.read(4, 4)
