"""Keys that a mount cannot show are counted each time, and named once."""

import pytest

from tagfs.fs.tree import odd_keys
from tagfs.fs.tree.odd_keys import OddKeys


def test_each_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    keys = OddKeys()
    for _ in range(2):
        keys.hide("a//b")
        keys.shadow("d")
    assert keys.hidden == 2
    assert [record.args for record in caplog.records] == [("a//b",), ("d",)]
    caplog.clear()


def test_a_bucket_full_of_them_fills_no_memory(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odd_keys, "MAX_LOGGED", 3)
    keys = OddKeys()
    for number in range(5):
        keys.hide(f"/{number}")
    assert keys.hidden == 5
    assert len(caplog.records) == len(keys._logged) == 3
    caplog.clear()
