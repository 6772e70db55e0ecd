"""What a file that is replaced leaves to the one that takes its name."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagfs.fs.build import build
from tagfs.fs.mapping.inheritance import NO_HEIR, Inherited
from tagfs.fs.tree.lookup import Entry
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of

HEADERS = {"content-type": "text/x-own", "cache-control": "no-store"}


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    bucket.put("f", BytesSource(b"old"), NewObject(headers=HEADERS, metadata={"team": "blue"}))
    return bucket


class Kit:
    """The file as a listing shows it, without headers and metadata, and who asks for them."""

    def __init__(self, bucket: MemoryBucket, staging: Path, executor: ThreadPoolExecutor) -> None:
        self.env = environment_of(bucket, staging, executor)
        (info,) = bucket.list("").objects
        assert info.detail is None
        self.target = Entry(
            path="/f", key="f", attributes=self.env.default_file(), size=info.size, info=info
        )

    def left(self, **choices: Any) -> Inherited:
        env = replace(self.env, choices=replace(self.env.choices, **choices))
        return build(env, dict).heritage.left_by(self.target)


@pytest.fixture
def kit(bucket: MemoryBucket, tmp_path: Path) -> Iterator[Kit]:
    with ThreadPoolExecutor(1) as pool:
        yield Kit(bucket, tmp_path, pool)


def test_of_what_was_only_listed_the_service_is_asked(kit: Kit) -> None:
    left = kit.left()
    assert left.headers["content-type"] == "text/x-own"
    assert left.headers["cache-control"] == "no-store"
    assert left.metadata["team"] == "blue"


def test_what_is_gone_by_now_leaves_nothing(kit: Kit, bucket: MemoryBucket) -> None:
    bucket.delete("f")
    left = kit.left()
    assert not left.headers
    assert not left.metadata


def test_where_a_new_file_comes_as_it_is_nothing_is_left(kit: Kit) -> None:
    assert kit.left(keep_replaced_tags=False) is NO_HEIR
