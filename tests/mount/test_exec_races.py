"""Exec, fork, rename over, unlink while open and recreate: many processes of two users at once.

The service fails now and then meanwhile. At the end every byte that was fsynced is on it.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.mount.conftest import Faults, MountFactory
from tests.mounting import Mounted, unmount

SECONDS = float(os.environ.get("TAGFS_RACE_SECONDS", "5"))

PROCESSES = 16
NOBODY = 65534

FAULTS = (
    "status=503:rate=0.02",
    "status=500:rate=0.01:when=after",
    "reset:rate=0.01",
    "reset:rate=0.01:when=after",
    "delay=0.3:rate=0.02:op=DeleteObject",
    "delay=0.3:rate=0.05:sub=none:method=GET",
)

WORKER = textwrap.dedent(
    '''
    import errno, hashlib, json, os, random, subprocess, sys, time

    number, uid, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    random.seed(number)
    expected = {}  # what is to be on the service, for all that is known of it; None: nothing
    names = [f"w{number}-{n}" for n in range(3)]
    held, done = [], {}

    def payload():
        body = os.urandom(random.choice((0, 1, 10, 1000, 30000)))
        return b"%d " % number + hashlib.sha256(body).hexdigest().encode() + body

    def put(fd, name, data):
        """Write a new file to its end; from then on it is safe."""
        expected.pop(name, None)
        try:
            while data_left := data[os.lseek(fd, 0, os.SEEK_CUR):]:
                os.write(fd, data_left)
            os.fsync(fd)
            expected[name] = data
        finally:
            os.close(fd)

    def remove(name):
        expected.pop(name, None)
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass
        expected[name] = None

    def new(name):
        expected.pop(name, None)
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def recreate(name):
        remove(name)
        put(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), name, payload())

    def rename_over(name):
        data = payload()
        temporary = random.choice((f".{name}.Ab12xY", f"{name}.tmp"))
        fd = new(temporary)
        put(fd, temporary, data)
        if random.random() < 0.5:
            os.chmod(temporary, 0o600)
        expected.pop(name, None)
        expected.pop(temporary)
        os.rename(temporary, name)
        expected[name], expected[temporary] = data, None

    def rename_unsaved(name):
        data = payload()
        fd = new(name + ".new")
        expected.pop(name, None)
        os.rename(name + ".new", name)
        put(fd, name, data)

    def unlink_while_open(name):
        fd = new(name)
        os.write(fd, b"of the old one")
        if random.random() < 0.5:
            os.fsync(fd)
        remove(name)
        os.write(fd, b", and more")
        data = payload()
        put(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644), name, data)
        os.write(fd, b", and yet more")
        os.fsync(fd)
        os.close(fd)

    def replace_while_open(name):
        old = new(name)
        os.write(old, b"of the old one")
        rename_over(name)
        os.write(old, b", and more")
        os.fsync(old)
        os.close(old)

    def run(*command):
        subprocess.run(command, check=True)

    def exec_with_new(name):
        remove(name)
        pid = os.fork()
        if not pid:
            fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644)
            os.execv("/bin/true", ["true"])
        assert os.waitpid(pid, 0)[1] == 0
        put(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644), name, payload())

    def exec_with_dirty(name):
        remove(name)
        fd = new(name)
        pid = os.fork()
        if not pid:
            os.write(fd, b"x")
            os.execv("/bin/true", ["true"])
        assert os.waitpid(pid, 0)[1] == 0
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        put(fd, name, payload())

    def shell(name):
        expected.pop(name, None)
        run("/bin/sh", "-c", f"echo from a shell > {name}; sync {name}")
        expected[name] = b"from a shell\\n"

    def append(name):
        before = expected.pop(name, None)
        if before is None:
            return recreate(name)
        data = payload()
        fd = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        expected[name] = before + data

    def other_kinds(name):
        remove(name)
        os.mkdir(name)
        os.rmdir(name)
        os.symlink("somewhere", name)
        os.unlink(name)
        recreate(name)

    def hold(_name):
        """Keep somebody's file open, so that libfuse gives it a name of its own."""
        try:
            found = random.choice([name for name in os.listdir(".") if name.startswith("w")])
            held.append(os.open(found, os.O_RDONLY))
            os.read(held[-1], 100)
        except (FileNotFoundError, IndexError, PermissionError):
            pass
        except OSError as error:
            if error.errno not in (errno.ESTALE, errno.EIO, errno.EISDIR, errno.ELOOP):
                raise
        while len(held) > random.randrange(8):
            os.close(held.pop(0))

    acts = [recreate, rename_over, rename_unsaved, unlink_while_open, replace_while_open,
            exec_with_new, exec_with_dirty, shell, append, other_kinds, hold, hold, hold, hold]
    end, failures = time.monotonic() + seconds, []
    while time.monotonic() < end:
        act, name = random.choice(acts), random.choice(names)
        try:
            act(name)
            done[act.__name__] = done.get(act.__name__, 0) + 1
        except (OSError, subprocess.CalledProcessError) as error:
            # The service failed for longer than it is tried: of this name nothing is known then.
            failures.append(f"{act.__name__}: {error}")
    for fd in held:
        os.close(fd)
    told = {name: None if data is None else data.hex() for name, data in expected.items()}
    print(json.dumps({"expected": told, "done": done, "failures": failures}))
    '''
)


def work(mount: Mounted, directory: Path) -> list[dict[str, Any]]:
    """Run all workers in a directory; return what they report. Whoever hangs is a failure."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(n), str(NOBODY if n % 2 else 0), str(SECONDS)],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    try:
        said = [worker.communicate(timeout=SECONDS + 120) for worker in workers]
    except subprocess.TimeoutExpired:
        mount.kill()
        raise
    finally:
        for worker in workers:
            worker.kill()
    assert [error for _, error in said if error] == []
    return [json.loads(out) for out, _ in said]


@pytest.mark.services("oss", "s3", "fuse2")
def test_every_byte_that_was_fsynced_is_on_the_service(
    mount_with: MountFactory, refusals: Faults, kind: str
) -> None:
    """D5. Nothing that an application was told is safe is ever lost; F5; F8."""
    if os.getuid() != 0:
        pytest.skip("needs root, to be two users")
    # Uploads that are begun after close(2) was answered are one more thing that may come late.
    mount = mount_with("allow_other" + (",durability=local" if kind == "fuse2" else ""))
    directory = mount.path / "d"
    directory.mkdir()
    directory.chmod(0o777)
    refusals.set(*FAULTS)
    reported = work(mount, directory)
    assert refusals.hits() > 0
    refusals.clear()
    unmount(mount)
    acts = [act for one in reported for act in one["done"]]
    assert len(set(acts)) == 11, "each of them succeeds"
    keys = set(mount.keys())
    for one in reported:
        for name, content in one["expected"].items():
            key = f"d/{name}"
            if content is None:
                assert key not in keys, (name, one["failures"])
            else:
                assert mount.content(key) == bytes.fromhex(content), (name, one["failures"])
    for one in reported:
        assert len(one["failures"]) <= sum(one["done"].values()) / 10, one["failures"]
