"""Going to the background: what the caller has left open is not kept open."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from tagfs.host.daemonize import run_in_background

def work(ready):
    ready()
    open(sys.argv[1]).read()  # until the test says so

run_in_background(work)
"""


def test_a_descriptor_of_the_caller_is_closed_when_the_mount_is_there(tmp_path: Path) -> None:
    """Such as that of `flock 9`: who waits for its end would wait until the unmount."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader, writer = os.pipe()
    subprocess.run([sys.executable, "-c", SCRIPT, fifo], pass_fds=[writer], check=True, timeout=60)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b""  # at its end, though the child lives
    finally:
        os.close(reader)
        fifo.write_text("")


def test_what_it_needs_to_begin_is_open_until_then(tmp_path: Path) -> None:
    """`credentials=<(command)` is a descriptor that is read as the mount begins."""
    script = SCRIPT.replace(
        "    ready()\n",
        "    print(open(f'/dev/fd/{sys.argv[2]}').read())\n    sys.stdout.flush()\n    ready()\n",
    )
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader, writer = os.pipe()
    os.write(writer, b"ID:SECRET")
    os.close(writer)
    done = subprocess.run(
        [sys.executable, "-c", script, fifo, str(reader)],
        pass_fds=[reader],
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
    )
    os.close(reader)
    fifo.write_text("")
    assert done.stdout == b"ID:SECRET\n"


UNAWAITED = """
import os, sys
from tagfs.host.daemonize import _child

def work(ready):
    ready()
    open(sys.argv[1], "w").write("served")

reader, writer = os.pipe()
os.close(reader)
_child(work, writer)
"""


def test_a_mount_that_nobody_waits_for_any_more_is_one_all_the_same(tmp_path: Path) -> None:
    """A failure here, just as it comes up, would leave one that heeds no signal."""
    file = tmp_path / "file"
    done = subprocess.run([sys.executable, "-c", UNAWAITED, file], check=False, timeout=60)
    assert done.returncode == 0
    assert file.read_text() == "served"
