"""Where a user's own files are."""

import os
import pwd
from pathlib import Path

import pytest

from tagfs.localfiles.trusted import home


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "/root"}])
def test_the_home_of_who_mounts_by_fstab(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """mount(8) leaves HOME unset, and mount.fuse(8) sets it to root's for everybody."""
    user = next(entry for entry in pwd.getpwall() if entry.pw_uid)
    monkeypatch.setattr(os, "getuid", lambda: user.pw_uid)
    assert home(environment) == Path(user.pw_dir)
    assert home({"HOME": "/elsewhere"}) == Path("/elsewhere")


def test_the_home_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert home({"HOME": "/root"}) == Path("/root")
    assert home({}) == Path(pwd.getpwuid(0).pw_dir)
