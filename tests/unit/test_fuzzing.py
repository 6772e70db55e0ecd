"""Any bytes are a value or a documented error, by the table that `scripts/soak` feeds too."""

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import STEADY, examples
from tests.fuzzing.targets import TARGETS, Target

EXAMPLES = examples(60)
ALL = [pytest.param(target, id=name) for name, target in TARGETS.items()]


def near(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Return bytes of any kind, and seeds of which a piece is other, or that are put together."""
    seed = st.sampled_from([one for one in seeds if len(one) < 2000])
    places = st.integers(0, 2000)

    def change(data: bytes, at: int, length: int, other: bytes) -> bytes:
        start = at % (len(data) + 1)
        return data[:start] + other + data[start + length :]

    changed = st.builds(change, seed, places, st.integers(0, 20), st.binary(max_size=4) | seed)
    again = st.builds(change, changed, places, st.integers(0, 5), st.binary(max_size=3))
    return st.binary(max_size=40) | seed | changed | again


@pytest.mark.parametrize("target", ALL)
def test_seeds(target: Target) -> None:
    for seed in target.seeds:
        target(seed)


@pytest.mark.parametrize("target", ALL)
def test_what_is_near_them(target: Target) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=STEADY)
    @given(near(target.seeds))
    def check(data: bytes) -> None:
        target(data)

    check()
