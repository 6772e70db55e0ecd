"""What a run must show, from figures: what is met, what is not, and what was not measured."""

import pytest

from tests.bench.claims import below_one, claims
from tests.bench.judging import ratio
from tests.bench.made_up import result, run_of
from tests.bench.plan import TINY_PROFILE, workloads
from tests.bench.results import Run, cell

SIZES = TINY_PROFILE.sizes


class TestFigures:
    def test_a_cell_is_the_median_and_half_the_distance(self):
        found = cell(result("tagfs", 1.0, 5.0, 2.0))
        assert found is not None
        assert (found.seconds, found.spread, found.runs) == (2.0, 2.0, 3)

    def test_failed_runs_do_not_count_while_others_succeeded(self):
        found = cell([*result("s3fs", 9.0, error="broken"), *result("s3fs", 1.0)])
        assert found is not None
        assert (found.seconds, found.error) == (1.0, "")

    def test_the_better_peer_counts_and_one_that_was_ended_is_a_lower_bound(self):
        ended = result("s3fs", 60.0, timed_out=True, error="not done in 60 s")
        run = run_of(result("tagfs", 2.0), ended, result("rclone", 90.0))
        found = ratio(run, "cat", 0.02)
        assert found is not None
        assert (found.value, found.at_least, found.other) == (30.0, True, "s3fs")
        assert str(found) == "≥ 30"

    def test_a_failed_peer_is_no_peer_and_a_failed_tagfs_meets_nothing(self):
        broken = result("s3fs", 0.1, error="broken")
        assert ratio(run_of(result("tagfs", 2.0), broken), "cat", 0.02) is None
        own = run_of(result("tagfs", 0.1, error="broken"), result("rclone", 9.0))
        found = ratio(own, "cat", 0.02)
        assert found is not None
        assert found.value == 0

    @pytest.mark.parametrize(("own", "met"), [(1.0, True), (2.0, False)])
    def test_who_answers_early_is_compared_with_who_answers_early(self, own, met):
        run = run_of(
            result("tagfs", 5.0, workload="create"),
            result("local", own, workload="create"),
            result("s3fs", 9.0, workload="create"),
            result("rclone", 1.5, workload="create"),
        )
        rows = workloads(SIZES)
        assert self.line(run, "of the same promise", "20 ms").met is met
        found = [(subject, r.other) for _, _, subject, r in below_one(run, rows)]
        assert found == ([] if met else [("local", "rclone")])
        assert self.line(run, "1.5 x rclone").met is met

    @pytest.mark.parametrize(("seconds", "met"), [(0.15, True), (0.16, False)])
    def test_seconds_are_judged_at_the_usual_sizes_only(self, seconds, met):
        run = run_of(result("tagfs", seconds, workload="ls-l-anew"))
        assert self.line(run, "0.15 s").met is met
        run.facts["size small"] = "999"
        assert self.line(run, "0.15 s").met is None

    @pytest.mark.parametrize(("cpu", "met"), [(0.028, True), (0.029, False)])
    def test_processor_time_is_that_of_a_file(self, cpu, met):
        run = run_of(result("local", 9.0, workload="create", cpu_seconds=cpu))
        assert self.line(run, "1.4 ms").met is met

    @pytest.mark.parametrize(("cpu", "met"), [(0.1, True), (0.11, False)])
    def test_or_that_of_a_request(self, cpu, met):
        more = {"cpu_seconds": cpu, "requests": {"HEAD": 500}, "latency": 0.0}
        run = run_of(result("tagfs", 9.0, workload="ls-l", **more))
        assert self.line(run, "0.2 ms").met is met

    @pytest.mark.parametrize(
        ("seconds", "requests", "met"),
        [((1.0, 1.2), 7, True), ((1.2, 1.4), 7, False), ((1.0, 1.2), 8, False)],
    )
    def test_the_same_is_the_same_within_the_spread_and_no_more_requests(
        self, seconds, requests, met
    ):
        run = run_of(
            result("tagfs", 0.9, 1.1, workload="ls-l", requests={"HEAD": 7}),
            result("tagfs", *seconds, workload="ls-l-debian13", requests={"HEAD": requests}),
        )
        assert self.line(run, "Debian 13").met is met

    @pytest.mark.parametrize(("requests", "met"), [(0, True), (1, False)])
    def test_a_budget_of_requests_holds_for_every_run(self, requests, met):
        run = run_of(
            result("tagfs", 9.0, workload="getfattr-again"),
            result("oss", 9.0, workload="getfattr-again", requests={"HEAD": requests}),
        )
        assert self.line(run, "seen before: no request").met is met
        assert self.line(run, "than their budgets").met is met

    def test_what_fails_meets_nothing(self):
        broken = result("minio", 0.1, workload="getfattr", error="broken")
        line = self.line(run_of(broken), "tags are in the listing")
        assert (line.met, line.figures) == (False, "getfattr fails")

    @pytest.mark.parametrize(("seconds", "met"), [(1.0, True), (1.3, False)])
    def test_what_the_cache_keeps_is_compared_with_the_disk(self, seconds, met):
        run = run_of(
            result("cached", seconds, workload="read-again"),
            result("disk", 1.0, workload="read-again"),
            result("rclone", 0.1, workload="read-again"),
        )
        assert self.line(run, "plain file").met is met

    @pytest.mark.parametrize(("cpu", "met"), [(0.12, True), (0.13, False)])
    def test_python_alone_is_no_command(self, cpu, met):
        run = Run(start={"python -c pass": {"CPU s": 9.0}, "tagfs --version": {"CPU s": cpu}})
        assert self.line(run, "does nothing").met is met

    def line(self, run, *texts):
        found = [c for c in claims(run, workloads(SIZES)) if all(t in c.text for t in texts)]
        assert len(found) == 1, [c.text for c in found]
        return found[0]

    @pytest.mark.parametrize(("seconds", "met"), [(1.0, True), (3.0, False)])
    def test_five_times_means_five_times(self, seconds, met):
        run = run_of(result("tagfs", seconds), result("s3fs", 10.0), result("rclone", 11.0))
        line = self.line(run, "small files out of the mount")
        assert line.met is met
        assert "cat" in line.figures

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        assert {c.met for c in claims(Run(), workloads(SIZES))} == {None}

    def test_memory_is_judged_by_every_figure_of_its_kind(self):
        run = Run(memory={"idle, tagfs": 60.0, "idle, tagfs on OSS": 61.0})
        assert self.line(run, "idle").met is False

    @pytest.mark.parametrize(("seconds", "met"), [(11.0, True), (16.0, False)])
    def test_linear_means_ten_times_as_long_for_ten_times_as_many(self, seconds, met):
        row = {"shape": "flat", "objects": 1000, "ls, s": 1.0, "find, s": 1.0}
        more = {**row, "objects": 10_000, "ls, s": seconds, "find, s": "not done in 120 s"}
        line = next(c for c in claims(Run(scale=[row, more]), []) if "linear" in c.text)
        assert line.met is met
