"""A Ceph cluster on loopback: one monitor, one store in memory, one gateway that speaks S3.

Debian's daemons run as plain processes with all they have in one directory, so that nothing is
left of them. `scripts/ceph` starts and stops one by hand.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tests.emulated import CannotRun, Emulator
from tests.judges import KEY_ID, SECRET, s3_client
from tests.ports import free_port

PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
PROGRAMS = (*PACKAGES[:3], "ceph", "monmaptool", "radosgw-admin")
DAEMONS = {"rgw": "radosgw", "osd": "ceph-osd", "mon": "ceph-mon"}
"""Programs by the names of their pid files, in the order in which they are stopped."""

SETUP = Path(__file__).parent.parent / "scripts/setup"

# Without cephx all connections must be set to be plain ("crc"), or the gateway hangs with -13;
# without tcp_nodelay every GET waits 40 ms. The admin sockets' paths would be too long.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{v2}/0,v1:127.0.0.1:{v1}/0]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
admin_socket =
keyring = {directory}/keyring
run_dir = {directory}
crash_dir = {directory}/crash
log_file = {directory}/$type.log
pid_file = {directory}/$type.pid
mon_allow_pool_size_one = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0

[mon]
mon_data = {directory}/mon
paxos_propose_interval = 0.05
mon_cluster_log_file = {directory}/cluster.log

[osd]
osd_data = {directory}/osd
osd_objectstore = memstore
memstore_device_bytes = {bytes}

[client]
log_file =
pid_file =
rgw_data = {directory}/rgw

[client.rgw]
log_file = {directory}/rgw.log
pid_file = {directory}/rgw.pid
rgw_multipart_min_part_size = 102400
rgw_frontends = beast endpoint=127.0.0.1:{rgw} tcp_nodelay=1
"""


def install() -> None:
    """Have the packages.

    Raises:
        CannotRun: they cannot be installed here.
    """
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if shutil.which("apt-get") is None:
        raise CannotRun(f"Ceph needs {', '.join(PACKAGES)}; there is no apt-get to install them")
    if os.geteuid() and subprocess.run(["sudo", "-n", "true"], check=False).returncode:
        raise CannotRun(f"Ceph needs {', '.join(PACKAGES)}; only root can install them")
    environment = {"TAGFS_EXTRAS": "emulator,dev", **os.environ}
    done = subprocess.run(
        [SETUP, *PACKAGES], env=environment, check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise CannotRun(done.stderr.strip())


def start(directory: Path) -> str:
    """Start a cluster with all that it has in a directory; return the gateway's URL."""
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    for name in ("mon", "osd", "rgw", "crash"):
        (directory / name).mkdir()
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    v2, v1, rgw = free_port(), free_port(), free_port()
    configuration = directory / "ceph.conf"
    configuration.write_text(
        CONFIGURATION.format(
            fsid=fsid, v2=v2, v1=v1, rgw=rgw, directory=directory, bytes=2 * 1024**3
        )
    )
    conf = ("-c", str(configuration))
    ceph = ("ceph", *conf, "--connect-timeout", "30")
    monitors = str(directory / "monmap")
    try:
        _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a",
             f"[v2:127.0.0.1:{v2}/0,v1:127.0.0.1:{v1}/0]", monitors)  # fmt: skip
        _run("ceph-mon", *conf, "-i", "a", "--mkfs", "--monmap", monitors)
        _run("ceph-mon", *conf, "-i", "a")
        _run(*ceph, "osd", "new", osd)
        _run("ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        _run("ceph-osd", *conf, "-i", "0")
        _run(*ceph, "osd", "crush", "add", "osd.0", "1", "host=h", "root=default")
        _run("radosgw", *conf, "-n", "client.rgw")
        _run("radosgw-admin", *conf, "user", "create", "--uid", "tests", "--display-name", "tests",
             "--access-key", KEY_ID, "--secret-key", SECRET, "--max-buckets", "0")  # fmt: skip
        url = f"http://127.0.0.1:{rgw}"
        _wait_for_puts(url)
    except BaseException:
        stop(directory)
        raise
    return url


def stop(directory: Path) -> None:
    """End all processes of the cluster in a directory, those as well that are only starting."""
    directory = directory.resolve()
    for program in DAEMONS.values():
        for pid in processes(directory, program):
            _end(pid, directory)
    while left := processes(directory):
        for pid in left:
            _end(pid, directory)


def processes(directory: Path, program: str = "") -> list[int]:
    """Return the processes of the cluster in a directory: all, or those of one program."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _is_ours(pid, directory, program)]


@contextlib.contextmanager
def ceph(directory: Path) -> Iterator[Emulator]:
    """Run a cluster while its buckets are used; it logs no requests.

    A process of its own takes the cluster down, even if this one is killed.

    Raises:
        CannotRun: there is no Ceph, and none can be installed.
    """
    install()
    state = Path(tempfile.mkdtemp(prefix="tagfs-ceph-"))
    guard = subprocess.Popen(
        [sys.executable, "-m", "tests.ceph", "guard", state],
        cwd=SETUP.parent.parent,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        url = start(state)
        yield Emulator("s3", url, _new_buckets(url), directory / "none")
    finally:
        guard.communicate(timeout=90)


def _new_buckets(url: str) -> Iterator[str]:
    client = s3_client(url)
    number = 0
    while True:
        name = f"bucket-{number}"
        client.create_bucket(Bucket=name)
        yield name
        number += 1


def _run(*command: str) -> None:
    """Run a command that ends, or a daemon that goes to the background once it serves."""
    with tempfile.TemporaryFile("w+") as said:  # a daemon would keep a pipe open
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=60, check=False
            )
            outcome = f"ended with {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            outcome = "took more than a minute"
        if outcome:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} {outcome}: {said.read()[-2000:]}")


def _wait_for_puts(url: str) -> None:
    """Wait until the gateway has made its pools."""
    client = s3_client(url)
    end = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket="first-bucket")
            client.put_object(Bucket="first-bucket", Key="k", Body=b"x")
            client.delete_object(Bucket="first-bucket", Key="k")
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                raise RuntimeError(f"the gateway of Ceph takes no objects: {error}") from error
            time.sleep(0.2)
        else:
            return


def _is_ours(pid: int, directory: Path, program: str = "") -> bool:
    """Say whether a process works for the cluster there."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    is_wanted = not program or Path(os.fsdecode(command[0])).name == program
    return state != "Z" and is_wanted and os.fsencode(directory / "ceph.conf") in command


def _end(pid: int, directory: Path) -> None:
    for kind, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kind)
        end = time.monotonic() + seconds
        while _is_ours(pid, directory):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        else:
            return


def main(arguments: list[str]) -> str:
    """Do what `scripts/ceph` was asked; return what went wrong."""
    match arguments:
        case ["start", text]:
            directory = Path(text)
            if directory.exists() and any(directory.iterdir()):
                return f"ceph: {directory} is not empty"
            url = start(directory)
            print(f"export AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET}")
            print(f"tagfs mount s3://first-bucket MOUNTPOINT -o endpoint={url},region=us-east-1")
        case ["stop", text]:
            directory = Path(text)
            if not (directory / "ceph.conf").exists():
                return f"ceph: there is no cluster in {directory}"
            stop(directory)
            shutil.rmtree(directory)
        case ["guard", text]:
            sys.stdin.read()  # until whoever started this is done, or gone
            stop(Path(text))
            shutil.rmtree(text)
        case _:
            return "usage: scripts/ceph start DIRECTORY | stop DIRECTORY"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or None)
