"""Asking a mount how it is, without ever waiting for one that does not answer.

A process that asks a mount which hangs may not even be killed; so another process asks, and is left
to itself when the time is up.
"""

import enum
import errno
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from tagfs.host.mount_table import STATUS, Mount, present_mounts

PATIENCE: Final = 2.0
"""Seconds that a mount may take to answer; it does so from memory."""

_ASK: Final = """
import os, sys
try:
    os.write(1, os.getxattr(sys.argv[1], sys.argv[2]))
except OSError as error:
    sys.exit(error.errno)
"""


class State(enum.StrEnum):
    """How a mount is."""

    OK = "ok"
    STALE = "stale"
    SILENT = "silent"
    FORBIDDEN = "forbidden"


ADVICE: Final = {
    State.STALE: "its server died: `tagfs umount {path}`, or mount it again",
    State.SILENT: "it does not answer within {patience:g} s",
    State.FORBIDDEN: "it is another user's, and mounted without allow_other",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one mount; `status` is its answer, empty if there was none."""

    mountpoint: str
    url: str
    state: State
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """What is wrong and what to do, "" if nothing is."""
        text = ADVICE.get(self.state, "")
        return text.format(path=self.mountpoint, patience=PATIENCE)

    def as_json(self) -> dict[str, Any]:
        """Return all that is known, for programs."""
        facts = {"mountpoint": self.mountpoint, "url": self.url, "state": str(self.state)}
        return {**facts, "advice": self.advice or None, "status": self.status or None}


def ask_all(patience: float = PATIENCE) -> list[Report]:
    """Return what every mount of this host says, in the order of their mountpoints."""
    visible = {mount.path: mount for mount in present_mounts()}  # the uppermost of each place
    begun = [(mount, _begin(mount)) for _path, mount in sorted(visible.items())]
    return [_finish(mount, process, patience) for mount, process in begun]


def ask(mount: Mount, patience: float = PATIENCE) -> Report:
    """Return what one mount says."""
    return _finish(mount, _begin(mount), patience)


def _begin(mount: Mount) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  (our own interpreter and text)
        [sys.executable, "-I", "-S", "-c", _ASK, mount.path, STATUS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )


def _finish(mount: Mount, process: "subprocess.Popen[bytes]", patience: float) -> Report:
    try:
        answer, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()  # it may not die before the mount does, and nobody waits for that
        return Report(mount.path, mount.source, State.SILENT)
    if process.returncode == errno.ENOTCONN:
        return Report(mount.path, mount.source, State.STALE)
    if process.returncode in (errno.EACCES, errno.EPERM):
        return Report(mount.path, mount.source, State.FORBIDDEN)
    try:
        status = json.loads(answer)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return Report(mount.path, mount.source, State.SILENT)
    return Report(mount.path, mount.source, State.OK, status)
