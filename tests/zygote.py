"""Processes of the command that start at once: copies of one that has imported what a mount needs.

Half of what a mount of a test costs is to start Python and to import the program; many hundreds of
mounts and commands do so. A copy has its own environment, arguments and standard files, and is
a process like any other. That the command starts by itself is what tests of the command line show.
"""

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

IMPORTED = ("tagfs.cli", "tagfs.commands.mount", "tagfs.session")
"""What every mount imports; not the bindings, which look at the environment."""

PYTHON = shlex.split(os.environ.get("TAGFS_PYTHON", shlex.quote(sys.executable)))
"""What runs the copies: tests and emulators may be on another one."""

_MAX_REQUEST = 1024 * 1024
_CONSTANTS = "TAGFS_TESTS_CONSTANTS"


class Zygote:
    """The process that copies are made of. It ends when whoever asks it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for one in (self._socket, theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_REQUEST)
        with theirs:
            command = [*PYTHON, "-m", "tests.zygote", str(theirs.fileno()), "tagfs mount"]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])

    def ask(self, request: Mapping[str, Any], *descriptors: int) -> Any:
        """Return the answer to a request."""
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [data], descriptors)
            answer = self._socket.recv(_MAX_REQUEST)
        assert answer, "the zygote is gone"
        return json.loads(answer)

    def close(self) -> None:
        """End it; its copies go on."""
        self._socket.close()
        self._process.wait(60)


@cache
def zygote() -> Zygote:
    """Return the one of this process."""
    one = Zygote()
    atexit.register(one.close)
    return one


class Copy:
    """A process that `start` made, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)  # it is not reaped before it is asked for

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        if self.returncode is None:
            self.returncode = zygote().ask({"poll": self.pid})
            if self.returncode is not None:
                os.close(self._descriptor)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status when it has ended.

        Raises:
            subprocess.TimeoutExpired
        """
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._descriptor, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        end = time.monotonic() + 10
        while (status := self.poll()) is None:
            assert time.monotonic() < end
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def constants(**values: float) -> dict[str, str]:
    """Return the variables by which a copy has other constants: a grace for a busy machine, say.

    A name stands for that constant in all modules of tagfs.
    """
    return {_CONSTANTS: json.dumps(values)}


def _set_constants(values: Mapping[str, float]) -> None:
    for name, value in values.items():
        modules = [m for n, m in sys.modules.items() if n.startswith("tagfs.") and hasattr(m, name)]
        assert modules, f"nothing in tagfs is called {name}"
        for module in modules:
            setattr(module, name, value)


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stderr: int,
    *others: int,
    cwd: Path | None = None,
) -> Copy:
    """Start `tagfs` with arguments, in this process's directory if no other is named.

    `others` are its standard output and its standard input.
    """
    where = str(cwd or Path.cwd())
    request = {"arguments": list(arguments), "environment": dict(environment), "cwd": where}
    return Copy(zygote().ask(request, stderr, *others))


def begin(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Copy:
    """Start `tagfs` with more variables; nobody hears what it says."""
    with open(os.devnull, "r+b") as null:
        words, environment = [str(word) for word in arguments], {**os.environ, **(env or {})}
        return start(words, environment, *[null.fileno()] * 3)


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text: bytes = b"",
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run `tagfs` to its end, with more variables and some input; return what it said.

    Raises:
        subprocess.TimeoutExpired: it was killed.
    """
    words, environment = [str(word) for word in arguments], {**os.environ, **(env or {})}
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(text)
        given.seek(0)
        copy = start(words, environment, err.fileno(), out.fileno(), given.fileno(), cwd=cwd)
        try:
            status = copy.wait(timeout)
        except subprocess.TimeoutExpired:
            copy.kill()
            copy.wait(10)
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", "surrogateescape"))
    return subprocess.CompletedProcess(words, status, *said)


def serve(own: socket.socket) -> Mapping[str, Any] | None:
    """Answer requests: None when nobody asks any more, in a copy what it is to do."""
    while True:
        data, ancillary, _flags, _address = own.recvmsg(_MAX_REQUEST, socket.CMSG_SPACE(3 * 4))
        if not data:
            return None
        request = json.loads(data)
        if "poll" in request:
            own.send(json.dumps(_status(request["poll"])).encode())
            continue
        given = array.array("i", ancillary[0][2])
        pid = os.fork()
        if pid == 0:
            own.close()
            for descriptor, standard in zip(given, (2, 1, 0), strict=False):
                os.dup2(descriptor, standard)
        for descriptor in given:
            os.close(descriptor)
        if pid == 0:
            return dict(request)
        own.send(json.dumps(pid).encode())


def _status(pid: int) -> int | None:
    with contextlib.suppress(ChildProcessError):
        found, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None
    return -1


def main(descriptor: int) -> NoReturn:
    """Import the program and answer; in a copy, be the program."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # or the first collection in a copy would copy every page
    request = serve(socket.socket(fileno=descriptor))
    if request is None:
        sys.exit(0)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    _set_constants(json.loads(os.environ.pop(_CONSTANTS, "{}")))
    sys.argv = ["tagfs", *request["arguments"]]
    importlib.import_module("tagfs.cli").main()
    sys.exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
