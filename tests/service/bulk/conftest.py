"""A service and a bucket for the bulk commands, and a way to run them."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oss2
import pytest

from tests import zygote
from tests.emulated import Emulator, emulator
from tests.mounting import KEYS, REGION, RequestLog, sdk_bucket


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::SyntaxWarning"))


CACHES = tempfile.mkdtemp(prefix="tagfs-tests-cache-")
atexit.register(shutil.rmtree, CACHES, ignore_errors=True)
ENVIRONMENT = {**KEYS, "TAGFS_CACHE_DIR": CACHES}
"""No command leaves anything in the caches of who runs the tests."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[Any]:
        """What --json reported."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def start_tag(
    *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Begin `tagfs tag ...`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tagfs", "tag", *map(str, words)],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            **ENVIRONMENT,
            **(env or {}),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_tag(
    *words: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    text: bytes = b"",
    status: int | None = 0,
) -> Ran:
    """Run `tagfs tag ...`; it must end with `status`."""
    done = zygote.run("tag", *words, cwd=cwd, env={**ENVIRONMENT, **(env or {})}, text=text)
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in ran.err, ran.err
    assert status is None or ran.status == status, ran
    return ran


class Subject:
    """A bucket to be tagged.

    Attributes:
        sdk: the same bucket through the vendor's SDK, the judge.
        url: `oss://bucket`.
        connection: what -o needs.
    """

    def __init__(self, service: Emulator, name: str) -> None:
        self.service = service
        self.name = name
        self.sdk = sdk_bucket(service, name)
        self.url = f"oss://{name}"
        self.connection = ("-o", f"endpoint={service.url},region={REGION}")

    def put(self, *keys: str, **tags: str) -> None:
        """Put objects, all with the same tags."""
        for key in keys:
            self.sdk.put_object(key, b"x")
            if tags:
                self.tag(key, tags)

    def tag(self, key: str, tags: dict[str, str]) -> None:
        tagging = oss2.models.Tagging(oss2.models.TaggingRule())
        for name, value in tags.items():
            tagging.tag_set.add(name, value)
        self.sdk.put_object_tagging(key, tagging)

    def tags(self, key: str) -> dict[str, str]:
        return dict(self.sdk.get_object_tagging(key).tag_set.tagging_rule)

    def all_tags(self) -> dict[str, dict[str, str]]:
        keys = [info.key for info in oss2.ObjectIterator(self.sdk)]
        with ThreadPoolExecutor(
            8
        ) as pool:  # one after the other, on a service far away, they take long
            return dict(zip(keys, pool.map(self.tags, keys), strict=True))

    def requests(self) -> RequestLog:
        return RequestLog(self.service.log, self.name)

    def run(self, *words: str | Path, status: int | None = 0, text: bytes = b"") -> Ran:
        """Run a command with the connection's options."""
        return run_tag(*words, *self.connection, status=status, text=text)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def slow_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A service 5 ms away."""
    with emulator(tmp_path_factory.mktemp("slow"), 8, latency=0.05) as running:
        yield running


@pytest.fixture
def subject(service: Emulator) -> Subject:
    return Subject(service, service.take())
