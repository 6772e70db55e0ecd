"""Results that nobody measured, for tests of what is made of them."""

from tests.bench.results import Result, Run


def result(subject: str, *seconds: float, workload: str = "cat", latency: float = 0.02, **more):
    return [
        Result(workload, f"{workload}!", subject, subject, latency, s, s, **more) for s in seconds
    ]


def run_of(*groups: list[Result]) -> Run:
    return Run(results=[one for group in groups for one in group])
