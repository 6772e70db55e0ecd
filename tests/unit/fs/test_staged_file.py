"""Staged files, against a bytearray."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tagfs.errors import IntegrityError
from tagfs.fs.content.staged_file import StagingArea

BASE = bytes(range(1, 201))
numbers = st.integers(0, 300)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), numbers, st.binary(min_size=1, max_size=60)),
        st.tuples(st.just("truncate"), numbers, st.just(b"")),
        st.tuples(st.just("read"), numbers, st.binary(max_size=60)),
        st.tuples(st.just("rebase"), numbers, st.just(b"")),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([0, 1, len(BASE)]), steps)
def test_it_is_the_base_with_its_changes(
    tmp_path: Path, base_size: int, steps: list[tuple[str, int, bytes]]
) -> None:
    base = bytes(BASE[:base_size])
    fetched = bytearray(len(BASE))
    model = bytearray(base)
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(base_size)

    def fetch(offset: int, length: int) -> bytes:
        assert offset + length <= len(base), "beyond the base"
        for at in range(offset, offset + length):
            fetched[at] += 1
        return base[offset : offset + length]

    try:
        for name, at, data in steps:
            if name == "write":
                staged.write(at, data)
                model.extend(bytes(max(0, at + len(data) - len(model))))
                model[at : at + len(data)] = data
            elif name == "truncate":
                staged.truncate(at)
                model[at:] = bytes(max(0, at - len(model)))
            elif name == "read":
                assert staged.read(at, len(data), fetch) == model[at : at + len(data)]
            else:  # the content was uploaded
                staged.mark_committed()
                base = bytes(model)
                fetched = bytearray(max(len(base), len(BASE)))
            assert staged.size == len(model)
            changed = staged.shape().changed()
            alike = [a == b for a, b in zip(base, model, strict=False)]
            assert all(same or changed.covers(at, at + 1) for at, same in enumerate(alike))
        assert staged.read(0, len(model), fetch) == model
        assert max(fetched, default=0) <= 1, "a byte was fetched twice"
    finally:
        staged.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_base_that_is_shorter_than_it_was(tmp_path: Path) -> None:
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(10)
    with pytest.raises(IntegrityError):
        staged.read(0, 10, lambda _offset, _length: b"short")
    staged.discard()


def test_staged_files_are_private(tmp_path: Path) -> None:
    area = StagingArea(tmp_path / "staging")
    staged = area.new_file()
    assert staged.path.stat().st_mode & 0o777 == 0o600
    assert area.directory.stat().st_mode & 0o777 == 0o700
    staged.discard()
