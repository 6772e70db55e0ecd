"""`tagfs demo`: a local service, a bucket filled with a small tree, mounted, and what to try."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from tagfs.errors import SettingsError
from tagfs.extras import EMULATOR, how_to_add
from tagfs.host.mountpoint import check_mountpoint, unmount
from tagfs.store.bucket import Bucket
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.credentials.values import Credentials
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.proxies import DIRECT
from tagfs.store.tags import TagSet

BUCKET = "demo"
KEY_ID, KEY_SECRET = "emulator", "emulator-secret"


@dataclass(frozen=True, slots=True)
class DemoService:
    """A service that can be shown: its region, the variables of its key pair, has it symlinks."""

    name: str
    region: str
    key_id: str
    key_secret: str
    has_links: bool = True

    @property
    def variables(self) -> dict[str, str]:
        """What a mount finds the key pair in."""
        return {self.key_id: KEY_ID, self.key_secret: KEY_SECRET}


SERVICES: Final = {
    service.name: service
    for service in (
        DemoService("oss", "cn-hangzhou", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"),
        DemoService("obs", "cn-north-4", "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY"),
        DemoService(
            "s3", "us-east-1", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", has_links=False
        ),
    )
}

TREE: dict[str, tuple[str, dict[str, str]]] = {
    "README.txt": ("Every file here is an object, every user.tag.* one of its tags.\n", {}),
    "reports/2026/q1.md": ("# First quarter\n", {"team": "blue", "retention": "7y"}),
    "reports/2026/q2.md": ("# Second quarter\n", {"team": "blue", "retention": "7y"}),
    "reports/2026/q3.md": ("# Third quarter\n", {"team": "green", "status": "draft"}),
    "photos/lake.txt": ("(imagine a lake)\n", {"place": "West Lake", "地点": "西湖"}),
    "logs/app.log": ("started\n", {"retention": "30d"}),
}


class _EmulatorKeys:
    """The key pair that the emulator accepts."""

    origin = "the demonstration"

    def get(self) -> Credentials:
        return Credentials(KEY_ID, KEY_SECRET)

    def refresh(self) -> Credentials:
        return self.get()


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end(number: int, _frame: object) -> None:
    """End by the first signal alone: a second one must not interrupt the cleaning up."""
    for other in _ENDINGS:
        signal.signal(other, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(0)


def run_demo(mountpoint: Path | None, service: DemoService) -> None:
    """Show the demo until Ctrl-C; clean up whatever happens.

    Raises:
        SettingsError: the emulator or the mount did not come up, with the reason.
    """
    if find_spec("aiohttp") is None:
        raise SettingsError(f"the demo needs {how_to_add(EMULATOR)}")
    for number in _ENDINGS:
        signal.signal(number, _end)
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagfs-demo-")))
        directory = mountpoint or work / "bucket"
        if mountpoint is None:
            directory.mkdir()
        check_mountpoint(directory)
        endpoint = stack.enter_context(_emulator(service, work / "service"))
        _fill(service, endpoint)
        stack.enter_context(_mounted(service, endpoint, directory, work / "cache"))
        _show(service, directory, endpoint)
        with contextlib.suppress(KeyboardInterrupt):
            while os.path.ismount(directory):
                time.sleep(0.2)
        click.echo("\nunmounting and cleaning up")


@contextlib.contextmanager
def _emulator(service: DemoService, data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tagfs.emulator", "--service", service.name]
    command += ["--listen", "127.0.0.1:0", "--data", str(data), "--bucket", BUCKET]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("listening on "):
            raise SettingsError(f"the emulator did not start: {how_to_add(EMULATOR)}")
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(10)


def _fill(service: DemoService, endpoint: str) -> None:
    settings = BucketSettings(
        service=service.name,
        bucket=BUCKET,
        endpoint=endpoint,
        region=service.region,
        addressing="path",
        proxy=DIRECT,
    )
    bucket: Bucket = open_bucket(settings, _EmulatorKeys())
    for key, (text, tags) in TREE.items():
        bucket.put(key, BytesSource(text.encode()), NewObject(tags=TagSet(tags)))
    if service.has_links:
        new = NewObject(tags=TagSet({"kind": "link"}))
        bucket.put_symlink("latest.md", "reports/2026/q3.md", new)
    bucket.update_bucket_tags(lambda _: TagSet({"owner": "you", "cost-center": "42"}))
    bucket.close()


@contextlib.contextmanager
def _mounted(service: DemoService, endpoint: str, directory: Path, cache: Path) -> Iterator[None]:
    options = f"endpoint={endpoint},region={service.region},addressing=path,cache_dir={cache}"
    options += ",proxy=none"
    command = [sys.executable, "-m", "tagfs", "mount", f"{service.name}://{BUCKET}", str(directory)]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [*command, "-o", options],
        env={**os.environ, **service.variables},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, complaint = process.communicate()
        if process.returncode != 0:
            reason = complaint.strip().removeprefix("tagfs: ")
            raise SettingsError(reason or "the mount failed")
        yield
    finally:
        process.wait()  # one that is interrupted comes up all the same, and then has to go
        os.chdir("/")
        for lazy in (False, True):
            if os.path.ismount(directory):
                with contextlib.suppress(SettingsError):
                    unmount(directory, lazy=lazy)


def _show(service: DemoService, directory: Path, endpoint: str) -> None:
    click.echo(
        f"{service.name}://{BUCKET} is mounted on {directory}. The service listens on {endpoint};\n"
        f"its key pair is {KEY_ID} and {KEY_SECRET}.\n"
    )
    example = directory / "reports/2026/q1.md"
    getfattr = shutil.which("getfattr")
    if getfattr is not None:
        click.echo(f"$ getfattr -d {example}")
        shown = subprocess.run(  # noqa: S603
            [getfattr, "--absolute-names", "-d", str(example)],
            capture_output=True,
            text=True,
            check=False,
        )
        click.echo(shown.stdout.strip() + "\n")
    click.echo(
        f"""Try, in another terminal:

  cd {directory}
  ls -lR                                              # files, directories, a link
  getfattr -R -d .                                    # all tags
  setfattr -n user.tag.team -v red README.txt         # tag a file
  echo more >> reports/2026/q1.md && getfattr -d reports/2026/q1.md    # still tagged
  mv reports/2026/q1.md done.md && getfattr -d done.md                 # still tagged
  cp --preserve=xattr done.md copy.md && getfattr -d copy.md           # tagged as well
  getfattr -d .                                       # the bucket's own tags

Ctrl-C ends the demo and removes everything."""
    )
