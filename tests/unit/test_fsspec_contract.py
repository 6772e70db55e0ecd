"""fsspec's own tests of a file system, over a bucket in memory.

fsspec has no types, so mypy sees nothing of the classes that these are derived from.
"""

from collections.abc import Callable

import pytest
from fsspec.tests import abstract

from tagfs.api import Bucket, ObjectTags
from tagfs.fsspec_api import OssFileSystem
from tests.fakes.memory_bucket.bucket import MemoryBucket

pytestmark = pytest.mark.slow


class InMemory(Bucket):
    """A bucket that asks no service."""

    def __init__(self, url: str, **_options: object) -> None:
        self.store = MemoryBucket()
        self.name = url.rpartition("/")[2]
        self.tags = ObjectTags(self)
        self._prefix = ""


class Fixtures(abstract.AbstractFixtures):  # type: ignore[misc]
    """Where fsspec's own tests have their files."""

    @pytest.fixture
    def fs(self, monkeypatch: pytest.MonkeyPatch) -> OssFileSystem:
        monkeypatch.setattr("tagfs.fsspec_api.Bucket", InMemory)
        return OssFileSystem(skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self) -> str:
        return "bucket"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)


class TestCopy(abstract.AbstractCopyTests, Fixtures):  # type: ignore[misc]
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):  # type: ignore[misc]
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):  # type: ignore[misc]
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):  # type: ignore[misc]
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):  # type: ignore[misc]
    pass
