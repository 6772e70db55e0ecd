"""`tagfs status`, the metrics, the request log and the log: what people see of a running mount."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import zygote
from tests.emulated import Emulator
from tests.mount.conftest import Faults
from tests.mounting import KEYS, Mounted, mounted, run, wait_for
from tests.ports import free_port
from tests.waiting import FAR, soon

STATUS = [sys.executable, "-m", "tagfs", "status"]
MOUNT = [sys.executable, "-m", "tagfs", "mount"]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shared(
    services: Callable[[str], Emulator], tmp_path_factory: pytest.TempPathFactory, port: int
) -> Iterator[Mounted]:
    """One mount for the whole module, with metrics and a request log."""
    service, directory = services("oss"), tmp_path_factory.mktemp("shared")
    options = f"metrics={port},request_log={directory}/requests,timeout={FAR}"
    with mounted(service, service.take(), directory / "mnt", options) as running:
        yield running


def status(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    return zygote.run("status", *args, timeout=FAR)


def own_status(mount: Mounted) -> dict[str, Any]:
    reported: dict[str, Any] = json.loads(os.getxattr(mount.path, "user.tagfs.status"))
    return reported


def test_a_page_about_one_mount(shared: Mounted) -> None:
    """Uptime, requests, throughput, cache, dirty files, staged bytes, pid and url."""
    (shared.path / "a").write_bytes(b"x" * 2048)
    shared.released()
    with (shared.path / "b").open("wb", buffering=0) as file:
        file.write(b"y" * 4096)
        assert own_status(shared)["dirty_files"] == 1
        done = status(shared.path)
        reported = json.loads(status(shared.path, "--json").stdout)
    assert done.returncode == 0, done.stderr
    page = done.stdout
    assert page.startswith(f"oss://{shared.bucket} on {shared.path}\n")
    assert f"pid {shared.process.pid}" in page
    assert re.search(r"state +ok, up \d+ s", page)
    # A process that is started closes its copy of the descriptor, and so the file is uploaded soon.
    assert re.search(r"files +1 open, [01] not yet uploaded, 0 uploading; 4\.0 KiB staged", page)
    assert re.search(
        r"bucket +has append, bucket tags, exclusive, exclusive copies, markers, metadata", page
    )
    assert re.search(r"by kind .*PUT [12]", page)
    assert re.search(r"index +\d+\.\d KiB, never read as a whole", page)
    assert re.search(r"sent +[26]\.\d KiB", page)
    assert reported["mountpoint"] == str(shared.path)
    assert reported["state"] == "ok"
    assert reported["status"]["bytes_out"] >= 2048
    assert reported["status"]["capabilities"]["object_tags"] is True
    assert KEYS["OSS_ACCESS_KEY_SECRET"] not in page + json.dumps(reported)


def test_the_last_errors_are_shown_and_each_is_one_line_of_the_log(
    shared: Mounted, refusals: Faults
) -> None:
    """One line a fact: operation, path, request id, service code."""
    shared.judge.put("secret.txt", b"x")
    refusals.set("deny:op=GetObject:key=secret.txt")
    before = len(shared.log().splitlines())
    with pytest.raises(PermissionError):
        (shared.path / "secret.txt").read_bytes()
    lines = shared.log().splitlines()[before:]
    assert len(lines) == 1, lines
    assert re.search(r"GetObject of 'secret.txt': 403 AccessDenied, request id \w+", lines[0])
    last = own_status(shared)["last_errors"][0]
    assert (last["operation"], last["path"]) == ("open", "/secret.txt")
    assert "AccessDenied" in last["error"]
    assert abs(last["time"] - time.time()) < 30
    assert re.search(r"Z open /secret.txt: AccessDenied: ", status(shared.path).stdout)


def test_the_status_does_not_wait_for_the_service(shared: Mounted, refusals: Faults) -> None:
    shared.judge.put("slow", b"x")
    refusals.set("hold:op=GetObject")
    readers = [subprocess.Popen(["cat", shared.path / "slow"], stdout=-3) for _ in range(3)]
    wait_for(refusals.hits)
    with soon():
        assert own_status(shared)["pid"] == shared.process.pid
    refusals.clear()
    assert [reader.wait(FAR) for reader in readers] == [0] * 3


def test_the_mounts_of_this_host(shared: Mounted, service: Emulator, tmp_path: Path) -> None:
    """Those whose server died, or that do not answer, are said to be so, and never waited for."""
    with mounted(service, service.take(), tmp_path / "one") as one:
        one.process.send_signal(signal.SIGSTOP)
        try:
            with soon():
                done = status("--json")
        finally:
            one.process.send_signal(signal.SIGCONT)
        states = {found["mountpoint"]: found["state"] for found in json.loads(done.stdout)}
        assert done.returncode == 1
        assert states[str(shared.path)] == "ok"
        assert states[str(one.path)] == "silent"
        one.process.kill()
        one.process.wait()
        done = status()
        assert done.returncode == 1
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{one.path}:"))
        assert "stale: its server died: `tagfs umount" in line
        run("fusermount", "-uz", one.path)
    assert str(one.path) not in status().stdout


def test_a_path_that_is_no_mount(tmp_path: Path) -> None:
    done = status(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not on a mount of tagfs" in done.stderr


def test_watching(shared: Mounted) -> None:
    """JSON lines for programs, a live table for people, until Ctrl-C."""
    watch = subprocess.Popen(
        [*STATUS, "--watch", "0.1", "--json"], stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    seen = [json.loads(watch.stdout.readline()) for _ in range(2)]
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=FAR)
    assert watch.returncode == 0
    assert all(any(one["mountpoint"] == str(shared.path) for one in all_) for all_ in seen)

    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "250", "TERM": "xterm"}
    table = subprocess.Popen([*STATUS, "--watch", "0.1"], stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while shown.count(b"mountpoint") < 2:
        shown += os.read(ours, 65536)
    table.send_signal(signal.SIGINT)
    assert table.wait(FAR) == 0
    os.close(ours)
    assert f"oss://{shared.bucket}".encode() in shown


def test_metrics_on_loopback_alone(shared: Mounted, port: int) -> None:
    (shared.path / "m").write_bytes(b"x")
    shared.released()
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=FAR).text
    puts = re.search(r'^tagfs_requests_total\{kind="PUT"\} (\S+)$', text, re.MULTILINE)
    assert puts is not None
    assert float(puts[1]) >= 1
    assert re.search(r"^tagfs_up 1\.0$", text, re.MULTILINE)
    assert re.search(r"^tagfs_dirty_files 0\.0$", text, re.MULTILINE)
    assert re.search(r"^tagfs_cache_hits_total \d", text, re.MULTILINE)
    with pytest.raises(ConnectionRefusedError):  # another address of this host
        socket.create_connection(("127.0.0.2", port), timeout=FAR)


def test_a_taken_port_is_one_clear_line(service: Emulator, tmp_path: Path) -> None:
    tmp_path.joinpath("p").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        options = f"endpoint={service.url},region=cn-hangzhou,cache_dir={tmp_path}/c"
        url, point = f"oss://{service.take()}", tmp_path / "p"
        done = subprocess.run(
            [*MOUNT, url, point, "-o", f"{options},metrics={number}"],
            env={**os.environ, **KEYS},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == f"tagfs: metrics={number} cannot be used: Address already in use\n"


def test_the_request_log_is_what_the_service_saw(shared: Mounted, refusals: Faults) -> None:
    """A JSON line for each attempt, with the service's request id, for whoever pays."""
    file = shared.path.parent / "requests"
    seen = shared.requests()
    start = len(file.read_text().splitlines())
    refusals.set("status=503:op=PutObject:times=1")
    (shared.path / "paid").write_bytes(b"12345")
    os.setxattr(shared.path / "paid", "user.tag.k", b"v")
    refusals.clear()

    def rows() -> list[dict[str, Any]]:
        return [json.loads(line) for line in file.read_text().splitlines()[start:]]

    def facts(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(str([r[f] for f in ("method", "key", "subresource", "status")]) for r in rows)

    # What goes on in parallel ends in any order, and may not have ended when the call returns.
    wait_for(lambda: facts(rows()) == facts(seen.rows()))
    ours, theirs = rows(), seen.rows()
    puts = [r for r in ours if r["method"] == "PUT" and r["subresource"] is None]
    assert [(r["status"], r["attempt"], r["bytes_out"]) for r in puts] == [(503, 1, 5), (200, 2, 5)]
    assert len({r["request_id"] for r in ours}) == len(ours)
    assert all(r["request_id"] for r in ours)
    assert all(0 < r["seconds"] < 60 for r in ours)
    assert abs(puts[0]["time"] - theirs[-1]["time"]) < 60
