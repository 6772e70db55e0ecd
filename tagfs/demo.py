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
from pathlib import Path

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
KEYS = {"OSS_ACCESS_KEY_ID": "emulator", "OSS_ACCESS_KEY_SECRET": "emulator-secret"}

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
        return Credentials(KEYS["OSS_ACCESS_KEY_ID"], KEYS["OSS_ACCESS_KEY_SECRET"])

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


def run_demo(mountpoint: Path | None) -> None:
    """Show the demo until Ctrl-C; clean up whatever happens.

    Raises:
        SettingsError: the emulator or the mount did not come up, with the reason.
    """
    for number in _ENDINGS:
        signal.signal(number, _end)
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagfs-demo-")))
        directory = mountpoint or work / "bucket"
        if mountpoint is None:
            directory.mkdir()
        check_mountpoint(directory)
        endpoint = stack.enter_context(_emulator(work / "service"))
        _fill(endpoint)
        stack.enter_context(_mounted(endpoint, directory, work / "cache"))
        _show(directory, endpoint)
        with contextlib.suppress(KeyboardInterrupt):
            while os.path.ismount(directory):
                time.sleep(0.2)
        click.echo("\nunmounting and cleaning up")


@contextlib.contextmanager
def _emulator(data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tagfs.emulator", "--service", "oss"]
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


def _fill(endpoint: str) -> None:
    settings = BucketSettings(
        service="oss",
        bucket=BUCKET,
        endpoint=endpoint,
        region="cn-hangzhou",
        addressing="path",
        proxy=DIRECT,
    )
    bucket: Bucket = open_bucket(settings, _EmulatorKeys())
    for key, (text, tags) in TREE.items():
        bucket.put(key, BytesSource(text.encode()), NewObject(tags=TagSet(tags)))
    bucket.put_symlink("latest.md", "reports/2026/q3.md", NewObject(tags=TagSet({"kind": "link"})))
    bucket.update_bucket_tags(lambda _: TagSet({"owner": "you", "cost-center": "42"}))
    bucket.close()


@contextlib.contextmanager
def _mounted(endpoint: str, directory: Path, cache: Path) -> Iterator[None]:
    options = f"endpoint={endpoint},region=cn-hangzhou,addressing=path,cache_dir={cache}"
    options += ",proxy=none"
    command = [sys.executable, "-m", "tagfs", "mount", f"oss://{BUCKET}", str(directory)]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [*command, "-o", options],
        env={**os.environ, **KEYS},
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


def _show(directory: Path, endpoint: str) -> None:
    click.echo(f"A bucket is mounted on {directory} (the service listens on {endpoint}).\n")
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
