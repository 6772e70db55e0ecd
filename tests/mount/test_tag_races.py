"""Tag edits of many processes at once, while the object is being rewritten."""

import errno
import os
import subprocess
import sys
import textwrap

from tests.mount.conftest import ALL
from tests.mounting import Mounted

SECONDS = float(os.environ.get("TAGFS_RACE_SECONDS", "6"))

EDITOR = textwrap.dedent(
    f"""
    import errno, os, sys, time
    path, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    name = f"user.tag.key{{number}}"
    end, edits = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            os.setxattr(path, name, b"%d" % edits, os.XATTR_CREATE)
            os.setxattr(path, name, b"%d+" % edits, os.XATTR_REPLACE)
            os.removexattr(path, name)
            edits += 1
        except OSError as error:
            if error.errno != {errno.ENOSPC}:  # ten tags are there already
                raise
    while number < 8:
        try:
            os.setxattr(path, name, b"final")
            break
        except OSError as error:
            if error.errno != {errno.ENOSPC}:
                raise
    print(edits)
    """
)

WRITER = textwrap.dedent(
    """
    import os, sys, time
    path, seconds = sys.argv[1], float(sys.argv[2])
    end, rewrites = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with open(path, "wb") as file:
            file.write(b"%d" % rewrites)
        with open(path, "ab") as file:
            file.write(b" and more")
        os.chmod(path, 0o600 + rewrites % 8)
        rewrites += 1
    print(rewrites)
    """
)


def start(code: str, *args: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@ALL
def test_g7_concurrent_edits_never_lose_one_another(mount: Mounted) -> None:
    """G7. Within one host, concurrent edits of different tags of one object never lose one
    another; G4: nor does a rewrite lose them."""
    seconds = SECONDS if mount.kind == "oss" else SECONDS / 3
    file = mount.path / "f"
    file.write_bytes(b"x")
    os.setxattr(file, "user.tag.constant", b"c")
    writer = start(WRITER, file, seconds)
    editors = [start(EDITOR, file, number, seconds) for number in range(16)]
    try:
        done = [process.communicate(timeout=seconds + 60) for process in [*editors, writer]]
    finally:
        for process in [*editors, writer]:
            process.kill()
    assert [err for _, err in done if err] == []
    counts = [int(out) for out, _ in done]
    assert min(counts[-1:]) > 0
    assert sum(counts[:-1]) > 16
    expected = {f"key{number}": "final" for number in range(8)} | {"constant": "c"}
    assert mount.tags("f") == expected
    assert mount.content("f") == b"%d and more" % (counts[-1] - 1)
