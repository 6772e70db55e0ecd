"""Restoring many objects: one PUT each, at most one GET, many at a time, and again after a kill.

With TAGFS_SLOW=1 also 10,000 objects at 20 ms.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS
from tests.emulated import PAIR, Emulator, emulator
from tests.mounting import RequestLog
from tests.service.bulk.conftest import Subject, start_tag
from tests.waiting import wait_for

PARALLEL = 64


def prepare(subject: Subject, directory: Path, count: int) -> Path:
    """Make objects on the service, and a dump with three tags for each."""
    settings = BucketSettings(service="oss", bucket=subject.name, endpoint=subject.service.url)
    client = open_bucket(settings, PAIR)
    new = NewObject(tags=NO_TAGS)
    with ThreadPoolExecutor(32) as pool:
        keys = (f"d{n % 10}/k{n:05}" for n in range(count))
        list(pool.map(lambda key: client.put(key, BytesSource(b"x"), new), keys))
    client.close()
    dump = directory / "dump"
    with dump.open("w") as file:
        for n in range(count):
            file.write(f'# file: d{n % 10}/k{n:05}\nuser.tag.team="t{n}"\n')
            file.write('user.tag.retention="7y"\nuser.tag.中="文"\n\n')
    return dump


def assert_restored(subject: Subject, count: int, step: int = 1) -> None:
    numbers = range(0, count, step)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(subject.tags, (f"d{n % 10}/k{n:05}" for n in numbers))
    for n, tags in zip(numbers, found, strict=True):
        assert tags == {"team": f"t{n}", "retention": "7y", "中": "文"}


def most_at_once(log: RequestLog) -> int:
    return max(int(row["inflight"]) for row in log.rows())


def settle(log: RequestLog) -> None:
    """Wait until what a killed process had sent has arrived."""
    seen = -1
    while seen != len(log):
        seen = len(log)
        time.sleep(0.3)


def written_until(log: RequestLog, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has written so many tag sets."""
    wait_for(lambda: log.kinds()["PUT tagging"] >= count or process.poll() is not None, pause=0.01)
    assert process.poll() is None, process.communicate()


def kill_halfway(subject: Subject, dump: Path, count: int, number: int) -> tuple[str, RequestLog]:
    """Begin a restore and end it when half is written; return what it said, and its requests."""
    log = subject.requests()
    words = ["restore", "--base", subject.url, str(dump), *subject.connection]
    with start_tag(*words) as process:
        written_until(log, count // 2, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    settle(log)
    assert count // 2 <= log.kinds()["PUT tagging"] < count
    return err.decode(), log


@pytest.fixture
def far(slow_service: Emulator) -> Subject:
    return Subject(slow_service, slow_service.take())


def test_a_thousand_objects_with_three_tags(far: Subject, tmp_path: Path) -> None:
    """`tagfs tag restore`: one PUT and no more than one GET each, at least 32 in flight."""
    dump = prepare(far, tmp_path, 1000)
    log = far.requests()
    ran = far.run("restore", "--base", far.url, dump)
    assert "1000 changed" in ran.err
    assert log.kinds() == {"GET tagging": 1000, "PUT tagging": 1000}
    assert most_at_once(log) >= 32
    assert_restored(far, 1000, 17)
    log = far.requests()
    assert "1000 changed" in far.run("restore", "--replace", "--base", far.url, dump).err
    # One is asked for first: a server that knows no tags would take each for a new content.
    assert log.kinds() == {"GET tagging": 1, "PUT tagging": 1000}
    log = far.requests()
    assert "1000 unchanged" in far.run("restore", "--base", far.url, dump).err
    assert log.kinds() == {"GET tagging": 1000}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_halfway_and_run_again_it_finishes(
    far: Subject, tmp_path: Path, number: signal.Signals
) -> None:
    dump = prepare(far, tmp_path, 600)
    err, first = kill_halfway(far, dump, 600, number)
    done = first.kinds()["PUT tagging"]
    log = far.requests()
    ran = far.run("restore", "--base", far.url, dump)
    kinds = log.kinds()
    again = kinds["PUT tagging"]
    assert_restored(far, 600, 7)
    assert not Path(f"{dump}.progress").exists()
    if number == signal.SIGKILL:  # what was under way may have to be looked at again
        assert again <= 600 - done + PARALLEL
        assert kinds["GET tagging"] <= 600 - done + PARALLEL
    else:
        assert again == 600 - done
        assert kinds == {"GET tagging": again, "PUT tagging": again}
        assert done <= 300 + 2 * PARALLEL
        assert f"interrupted, {done} changed" in err
        assert f"{again} changed, 0 unchanged, {done} done before" in ran.err


def test_interrupted_changes_are_all_in_the_audit_file(far: Subject, tmp_path: Path) -> None:
    prepare(far, tmp_path, 400)
    audit = tmp_path / "audit"
    log = far.requests()
    words = ["set", "-R", "team=blue", "--audit", str(audit), far.url, *far.connection]
    with start_tag(*words) as process:
        written_until(log, 200, process)
        process.kill()
        process.communicate()
    settle(log)
    changed = [key for key, tags in far.all_tags().items() if tags]
    assert 200 <= len(changed) < 400
    far.run("undo", audit)
    assert not any(far.all_tags().values())


def test_find_reads_many_at_a_time(far: Subject, tmp_path: Path) -> None:
    prepare(far, tmp_path, 500)
    log = far.requests()
    far.run("find", "not team", far.url)
    assert log.kinds() == {"GET list": 1, "GET tagging": 500}
    assert most_at_once(log) >= 32


@pytest.fixture
def distant(tmp_path: Path) -> Iterator[Emulator]:
    with emulator(tmp_path, 2, latency=0.02) as running:
        yield running


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("TAGFS_SLOW"), reason="TAGFS_SLOW is not set")
def test_ten_thousand_objects(
    distant: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """10,000 x 3 tags at 20 ms: 10,000 PUT, at most 1 GET each; killed, it finishes."""
    subject = Subject(distant, distant.take())
    dump = prepare(subject, tmp_path, 10_000)
    log = subject.requests()
    began = time.monotonic()
    subject.run("restore", "--base", subject.url, dump)
    took = time.monotonic() - began
    kinds = log.kinds()
    with capsys.disabled():
        print(f"\n10,000 objects x 3 tags at 20 ms: {took:.1f} s, {dict(kinds)}")
        print(f"most at once: {most_at_once(log)}")
    assert kinds == {"GET tagging": 10_000, "PUT tagging": 10_000}
    assert most_at_once(log) >= 32
    subject.run("rm", "--all", "-R", subject.url)
    _, first = kill_halfway(subject, dump, 10_000, signal.SIGKILL)
    before = first.kinds()
    log = subject.requests()
    subject.run("restore", "--base", subject.url, dump)
    with capsys.disabled():
        print(f"killed: {dict(before)}; again: {dict(log.kinds())}")
    assert log.kinds()["PUT tagging"] <= 10_000 - before["PUT tagging"] + PARALLEL
    assert_restored(subject, 10_000, 97)
