"""The services that the contract runs on over HTTP. A bucket in memory needs nothing of this."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from obs import CreateBucketHeader, ObsClient

from tests.ceph import ceph
from tests.emulated import CannotRun, Emulator, emulator, moto
from tests.judges import KEY_ID, SECRET

__all__ = ["CannotRun", "posix_bucket", "serve"]


def serve(
    directory: Path, service: str, options: Sequence[str]
) -> contextlib.AbstractContextManager[Emulator]:
    """Run a service: an emulated one with its variants, moto, or a Ceph cluster.

    Raises:
        CannotRun: it is not installed, and cannot be.
    """
    match service:
        case "moto":
            return moto(directory)
        case "ceph":
            return ceph(directory)
        case _:
            return emulator(directory, 400, service=service, options=options)


def posix_bucket(service: Emulator) -> str:
    """Return the name of an empty bucket, made anew as a parallel file system."""
    name = f"posix-{service.take()}"
    client = ObsClient(KEY_ID, SECRET, server=service.url, signature="obs", path_style=True)
    header = CreateBucketHeader(isPFS=True)
    assert client.createBucket(name, header).status == 200
    client.close()
    return name
