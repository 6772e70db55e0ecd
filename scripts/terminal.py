"""Runs a session on a local service and draws it: see scripts/terminal."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

SESSION = """
tagfs mount oss://photos mnt -o endpoint=$OSS_SERVICE
cp --preserve=mode lake.txt notes.md mnt/
setfattr -n user.tag.team -v blue mnt/notes.md
setfattr -n user.tag.retention -v 7y mnt/notes.md
sed -i s/draft/final/ mnt/notes.md           # a new file, renamed over the old one
mv mnt/notes.md mnt/final.md                 # a server-side copy
getfattr -d mnt/final.md
tagfs tag find retention=7y mnt
tagfs umount mnt
""".strip().splitlines()

KEYS = {"OSS_ACCESS_KEY_ID": "emulator", "OSS_ACCESS_KEY_SECRET": "emulator-secret"}


def run(work: Path, service: str, console: Console) -> None:
    """Run every line of the session and print what a terminal would show."""
    (work / "mnt").mkdir()
    (work / "lake.txt").write_text("(imagine a lake)\n")
    (work / "notes.md").write_text("draft\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **KEYS, "PATH": path, "OSS_SERVICE": service, "HOME": str(work)}
    environment["TAGFS_CACHE_DIR"] = str(work / "cache")
    for line in SESSION:
        command, mark, comment = line.partition("#")
        console.print(Text.assemble(("$ ", "green"), (command, "bold"), (mark + comment, "dim")))
        done = subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        if done.stdout.strip():
            console.print(Text(done.stdout.strip()))


def main(target: Path) -> None:
    """Draw the session into an SVG."""
    console = Console(record=True, width=86, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory(prefix="tagfs-session-") as name:
        work = Path(name)
        command = [sys.executable, "-m", "tagfs.emulator", "--service", "oss"]
        command += ["--listen", "127.0.0.1:0", "--data", str(work / "data"), "--bucket", "photos"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                service = process.stdout.readline().removeprefix("listening on ").strip()
                run(work, service, console)
            finally:
                subprocess.run(["umount", "-q", str(work / "mnt")], check=False)
                process.terminate()
    console.save_svg(str(target), title="a bucket, mounted", unique_id="tagfs")
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
