"""Fetching ahead across files: parallel where a directory is walked, nothing where it is not."""

import os

from tests.mount.test_budgets import fill, in_flight, round_trips
from tests.mounting import Mounted, run, wait_for
from tests.waiting import until_stale


def test_cat_of_a_directory_is_parallel(far_mount: Mounted) -> None:
    """`cat *`: n GET, at least 16 in flight."""
    fill(far_mount, 150)
    os.listdir(far_mount.path / "d")
    log = far_mount.requests()
    shown = run("sh", "-c", "cat d/*", cwd=far_mount.path)
    assert shown == "".join(f"x{n}" for n in range(150))
    gets = [r for r in log.rows() if r["method"] == "GET" and r["subresource"] is None]
    assert len(gets) == 150
    assert in_flight(log) >= 16
    assert len([r for r in log.rows() if r["method"] == "HEAD"]) <= 40


def test_cp_r_out_is_parallel_and_right(far_mount: Mounted, tmp_path) -> None:
    fill(far_mount, 150, tags={"k": "v"})
    log = far_mount.requests()
    run("cp", "-r", far_mount.path / "d", tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [f"{n:04}" for n in range(150)]
    assert all((tmp_path / f"out/{n:04}").read_bytes() == b"x%d" % n for n in range(150))
    assert in_flight(log) >= 16
    gets = [r for r in log.rows() if r["method"] == "GET" and r["subresource"] is None]
    assert len(gets) == 150


def test_reading_here_and_there_fetches_nothing_else(mount: Mounted) -> None:
    fill(mount, 60)
    os.listdir(mount.path / "d")
    log = mount.requests()
    for number in (40, 3, 20, 55, 10):
        (mount.path / f"d/{number:04}").read_bytes()
    assert log.kinds()["GET"] == 5


def test_what_was_fetched_ahead_is_never_old(mount: Mounted) -> None:
    """D1. ... an answer of the service at most 1 s old counts as having asked."""
    fill(mount, 30)
    os.listdir(mount.path / "d")
    for number in range(5):
        (mount.path / f"d/{number:04}").read_bytes()
    for number in range(30):
        mount.sdk.put_object(f"d/{number:04}", b"changed")
    until_stale()
    for number in range(5, 30):
        assert (mount.path / f"d/{number:04}").read_bytes() == b"changed"


def test_what_is_written_here_is_read_here(mount: Mounted) -> None:
    fill(mount, 30)
    os.listdir(mount.path / "d")
    for number in range(29):
        (mount.path / f"d/{number:04}").read_bytes()
        (mount.path / f"d/{number + 1:04}").write_bytes(b"new %d" % number)
        assert (mount.path / f"d/{number + 1:04}").read_bytes() == b"new %d" % number


def test_memory_is_given_back(mount: Mounted) -> None:
    fill(mount, 60)
    os.listdir(mount.path / "d")
    for number in range(10):
        (mount.path / f"d/{number:04}").read_bytes()
    assert mount.status()["read_ahead_bytes"] > 0
    wait_for(lambda: mount.status()["read_ahead_bytes"] == 0)


def test_names_from_elsewhere_are_walked_too(far_mount: Mounted) -> None:
    """rsync, make and tar d never read the directory of the files that they look at."""
    fill(far_mount, 100)
    (far_mount.path / "d").stat()
    log = far_mount.requests()
    for number in range(100):
        (far_mount.path / f"d/{number:04}").stat()
    assert log.kinds()["HEAD"] == 100
    assert log.kinds()["GET list"] <= 1
    assert round_trips(log) <= 16


def test_such_a_look_proves_for_a_second_at_most_what_is_missing(mount: Mounted) -> None:
    fill(mount, 20)
    (mount.path / "d").stat()
    until_stale()
    for number in range(10):
        (mount.path / f"d/{number:04}").stat()
    mount.judge.put("d/later", b"x")
    assert (mount.path / "d/later").read_bytes() == b"x"


def test_looks_here_and_there_cost_no_list_in_a_small_directory(mount: Mounted) -> None:
    fill(mount, 60)
    (mount.path / "d").stat()
    log = mount.requests()
    for number in (40, 3, 20, 55, 10, 33):
        (mount.path / f"d/{number:04}").stat()
    assert log.kinds() == {"HEAD": 6}


def test_looks_here_and_there_cost_one_list_more_in_a_large_one(mount: Mounted) -> None:
    fill(mount, 110)
    (mount.path / "d").stat()
    log = mount.requests()
    for number in (40, 3, 20, 55, 10, 33):
        (mount.path / f"d/{number:04}").stat()
    assert log.kinds() == {"HEAD": 6, "GET list": 7}
