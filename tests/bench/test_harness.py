"""The benchmark itself: what it counts, what it calls met, and how a failing row is reported."""

import itertools
import json
import os
import time
from dataclasses import asdict, replace

import pytest

from tests.bench import start, tables
from tests.bench.made_up import result, run_of
from tests.bench.plan import FULL, TINY_PROFILE, buckets, rows, workloads
from tests.bench.results import Run, load
from tests.bench.running import Runner
from tests.bench.service import serving
from tests.bench.subjects import subjects
from tests.bench.walking import shared_fills
from tests.bench.workload import SHARED, Sizes, Workload

SIZES = TINY_PROFILE.sizes


def test_the_start_of_every_command_is_measured():
    first = list(itertools.islice(start.measure(), 2))
    assert [name for name, _ in first] == ["python -c pass", "tagfs --version"]
    (_, python), (_, ours) = first
    assert 0 < python["CPU s"] < ours["CPU s"]
    assert ours["s"] > 0


class TestReport:
    def test_it_names_slower_rows_with_their_remark_and_what_failed(self):
        run = run_of(
            result("tagfs", 2.0),
            result("s3fs", 1.0, service_cpu_seconds=0.95),
            result("rclone", 60.0, timed_out=True, error="not done in 60 s"),
            result("tagfs", 0.0, workload="find", error="it broke"),
        )
        page = tables.report(run, "# Notes\n\n## cat\n\nBecause\nof this.\n\n## find\n\nno\n")
        assert "0.50 x of s3fs. Because of this." in page
        assert "1.00 (1) *" in page
        assert "> 60" in page
        assert "it broke" in page

    def test_a_remark_for_one_latency_comes_first(self):
        notes = "## cat\n\nalways\n\n## cat, 0 ms\n\nat once\n"
        assert tables.note(notes, "cat", 0.0) == "at once"
        assert tables.note(notes, "cat", 0.02) == "always"
        assert tables.note(notes, "cp", 0.0) == ""

    def test_of_what_two_runs_measured_the_later_counts(self, tmp_path):
        for day, seconds in (("2026-01-02", 7.0), ("2026-01-01", 5.0)):
            run = run_of(result("tagfs", seconds), result(day, 1.0))
            run.facts["date"] = day
            run.memory["idle"] = seconds
            run.save(tmp_path / f"{day}.json")
        memory = Run(facts={"date": "2026-01-03"}, memory={"idle": 9.0})
        memory.save(tmp_path / "a.json")
        merged = load(tmp_path.glob("*.json"))
        assert merged.memory == {"idle": 9.0}
        assert merged.facts["date"] == "2026-01-02", "it is that of the rows"
        assert [r.seconds for r in merged.of("cat", "tagfs", 0.02)] == [7.0]
        assert len(merged.results) == 3
        assert json.loads((tmp_path / "2026-01-02.json").read_text()) == asdict(
            load([tmp_path / "2026-01-02.json"])
        )


class TestPlan:
    def test_every_run_that_changes_something_has_a_bucket_of_its_own(self):
        cells = [c for row in rows(FULL, subjects(), lambda _: True) for c in row]
        changing = [b for c in cells if c.workload.fills is not None for b in c.buckets]
        assert len(changing) == len(set(changing))
        assert all(b == SHARED for c in cells if c.workload.fills is None for b in c.buckets)

    def test_nobody_is_measured_in_what_it_has_not(self):
        plan = list(rows(FULL, subjects(), lambda name: name in ("getfattr", "tag")))
        took = {row[0].workload.id: {c.subject.id for c in row} for row in plan}
        assert {"tagfs", "s3fs", "sdk-1", "sdk-32"} <= took["getfattr"]
        assert not any(name.startswith("rclone") for name in took["getfattr"])
        assert took["tag"] == {"tagfs", "oss", "sdk-1", "sdk-32"}

    def test_the_local_disk_takes_part_where_a_row_makes_its_files_there(self):
        plan = list(rows(FULL, subjects(), lambda _: True))
        assert [c.workload.id for row in plan for c in row if c.subject.disk] == ["read-again"]

    def test_a_column_of_its_own_service_has_its_buckets_there(self):
        plan = list(rows(FULL, subjects(), lambda name: name == "getfattr"))
        assert set(buckets(plan, SIZES, "minio")) == {SHARED}

    def test_bucket_names_are_legal(self):
        plan = list(rows(FULL, subjects(), lambda _: True))
        names = [name for kind in ("s3", "oss") for name in buckets(plan, SIZES, kind)]
        assert all(3 <= len(name) <= 63 and name == name.lower() for name in names)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    sizes = Sizes(small=5, medium=5, many=5, made=8, tree=10, large=2**20)
    chosen = {w.id: w for w in workloads(sizes)}
    work = tmp_path_factory.mktemp("bench")
    fills = dict.fromkeys(("one", "two", "three"), chosen["rm-r"].fills or ())
    shared = {SHARED: shared_fills(sizes)}
    with (
        serving(work / "s3", "s3", 0.0, {**fills, **shared, "new": ()}) as s3,
        serving(work / "minio", "minio", 0.0, shared) as minio,
    ):
        yield Runner({"s3": s3, "minio": minio}, sizes, 20.0), chosen


@pytest.mark.fuse
class TestRuns:
    """On real mounts, a few files each."""

    @property
    def tagfs(self):
        return self.subject("tagfs")

    def subject(self, name):
        return next(s for s in subjects() if s.id == name)

    def test_a_run_counts_its_own_requests_only(self, runner):
        run, chosen = runner
        found = run.measure(chosen["create"], self.tagfs, "new", 0.0)
        assert found.error == ""
        assert found.requests["PUT"] == 9  # a directory and its files
        assert found.bytes_in == 8000
        assert found.settled_seconds == found.seconds > 0
        assert found.cpu_seconds > 0
        assert 10 < found.peak_mib < 200

    def test_a_tool_that_returns_before_the_content_is_there_fails_the_row(self, runner):
        run, chosen = runner
        lazy = replace(chosen["rm-r"], run=lambda _place: None)
        found = run.measure(lazy, self.tagfs, "one", 0.0)
        assert "the service has not the content" in found.error

    def test_who_uploads_later_is_timed_until_the_service_has_it(self, runner):
        run, chosen = runner

        def remove_later(place):
            if os.fork() == 0:
                time.sleep(0.2)
                for file in place.point.glob("d/*/*"):
                    file.unlink()
                for directory in place.point.glob("d/*"):
                    directory.rmdir()
                (place.point / "d").rmdir()
                os._exit(0)

        later = replace(chosen["rm-r"], run=remove_later)
        found = run.measure(later, replace(self.tagfs, settled=False), "two", 0.0)
        assert found.error == ""
        assert found.seconds < 0.2 < found.settled_seconds

    def test_a_run_that_does_not_end_is_ended_with_its_mount(self, runner):
        run, _ = runner
        endless = Workload("endless", "endless", lambda _place: time.sleep(60), (), patience=0.3)
        found = run.measure(endless, self.tagfs, "three", 0.0)
        assert found.timed_out
        assert found.error == "not done in 0.3 s"

    def test_tags_come_with_the_listing_where_the_service_lists_them(self, runner):
        run, chosen = runner
        row = chosen["getfattr"]
        for name, asked in (("tagfs", 5), ("minio", 1)):
            found = run.measure(row, self.subject(name), SHARED, 0.0)
            assert found.error == ""
            assert found.requests["GET tagging"] == asked
            assert found.count <= row.budgets[name]

    def test_what_was_done_before_is_neither_timed_nor_counted(self, runner):
        run, chosen = runner
        found = run.measure(chosen["getfattr-again"], self.tagfs, SHARED, 0.0)
        assert (found.error, found.requests) == ("", {})

        def slow(place):
            chosen["getfattr"].run(place)
            time.sleep(0.5)

        found = run.measure(replace(chosen["getfattr"], warm=slow), self.tagfs, SHARED, 0.0)
        assert (found.error, found.requests) == ("", {})
        assert 0 < found.seconds < 0.5

    @pytest.mark.parametrize("when", ["warm", "before"])
    def test_what_must_be_done_before_and_fails_is_an_error_of_the_row(self, runner, when):
        run, chosen = runner
        endless = {when: lambda _place: time.sleep(60), "patience": 0.3}
        found = run.measure(replace(chosen["getfattr"], **endless), self.tagfs, SHARED, 0.0)
        assert found.error == "before it: not done in 0.3 s"
        assert not found.timed_out

    def test_the_local_disk_is_read_without_a_mount(self, runner):
        run, chosen = runner
        found = run.measure(chosen["read-again"], self.subject("disk"), SHARED, 0.0)
        assert (found.error, found.requests) == ("", {})
        assert found.seconds > 0
        assert found.peak_mib == 0

    def test_what_cannot_be_mounted_is_a_result_too(self, runner):
        run, chosen = runner
        broken = replace(self.tagfs, command=lambda _request: ["false"])
        assert "did not mount" in run.measure(chosen["create"], broken, "new", 0.0).error
