"""SeaweedFS on loopback, to try tagfs on: a store of many machines that starts in seconds.

`scripts/seaweed DIR` runs it until Ctrl-C, with all it has in DIR.
"""

import signal
import sys
import threading
from pathlib import Path

from tests.emulated import CannotRun
from tests.foreign_servers import seaweedfs
from tests.judges import KEY_ID, SECRET

HOW = """\
SeaweedFS serves S3 at {url} until Ctrl-C; what it has is in {directory}.
Mount its bucket {bucket} with

    mkdir -p /tmp/seaweed
    AWS_ACCESS_KEY_ID={key_id} AWS_SECRET_ACCESS_KEY={secret} \\
        tagfs mount s3://{bucket} /tmp/seaweed -o endpoint={url},region=us-east-1
"""


def main(arguments: list[str]) -> str:
    """Do what `scripts/seaweed` was asked; return what went wrong."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return "usage: scripts/seaweed DIRECTORY"
    directory = Path(arguments[0]).resolve()
    if directory.exists() and any(directory.iterdir()):
        return f"seaweed: {directory} is not empty"
    directory.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with seaweedfs(directory, buckets=2) as running:
            names = {"url": running.url, "bucket": running.take(), "directory": directory}
            print(HOW.format(key_id=KEY_ID, secret=SECRET, **names), flush=True)
            ended.wait()
    except CannotRun as reason:
        return f"seaweed: {reason}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
