"""An S3 that ignores ?tagging and answers ranges with 200, as the emulator mimics it."""

import errno
import os

import pytest

from tests.mounting import Mounted

pytestmark = pytest.mark.services("ignoring")

LARGE = bytes(range(256)) * 40_000


@pytest.mark.parametrize("value", [b"team=blue", b""])
def test_tags_are_refused_before_and_after_the_close(mount: Mounted, value: bytes) -> None:
    path, log = mount.path / "f", mount.requests()
    with path.open("wb") as file:
        file.write(b"precious")
        with pytest.raises(OSError) as before:
            os.setxattr(path, "user.tag.team", b"blue")
    with pytest.raises(OSError) as after:
        os.setxattr(path, "user.tagging", value)
    assert {before.value.errno, after.value.errno} == {errno.EOPNOTSUPP}
    assert mount.content("f") == b"precious"
    assert (log.kinds()["PUT"], log.kinds()["DELETE"]) == (1, 0)


def test_what_is_read_is_whole(mount: Mounted) -> None:
    mount.judge.put("large", LARGE)
    assert (mount.path / "large").read_bytes() == LARGE
    with (mount.path / "large").open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"Z")
    assert mount.content("large") == LARGE[:3_000_000] + b"Z" + LARGE[3_000_001:]
