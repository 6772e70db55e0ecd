from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.emulator.emulation import Emulator
from tests.emulator.names import DOMAIN, resolve_locally
from tests.emulator.s3.client import s3_client

_numbers = count()
_PART = 5 * 1024 * 1024


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of S3 with every default."""
    directory = tmp_path_factory.mktemp("s3")
    options = ("--service", "s3", "--restore-seconds", "0.2")
    with Emulator(directory / "data", *options, log=directory / "log") as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: Emulator) -> Iterator[Any]:
    client = s3_client(aws.url)
    yield client
    client.close()


@pytest.fixture(params=["path", "virtual", "v2"])
def each(
    request: pytest.FixtureRequest, aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Clients of both addressing styles, and one that signs as long ago."""
    resolve_locally(monkeypatch)
    if request.param == "virtual":
        url = aws.url.replace("127.0.0.1", f"s3.{DOMAIN}")
        client = s3_client(url, s3={"addressing_style": "virtual"})
    else:
        client = s3_client(aws.url, signature_version="s3" if request.param == "v2" else "s3v4")
    yield client
    client.close()


@pytest.fixture
def name(s3: Any) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name
