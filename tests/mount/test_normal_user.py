"""Everything works for a user without rights: mounting, looking, taking off, being informed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import KEYS, REGION

NOBODY = 65534

SCRIPT = """
set -eu
mknod -m 666 "$1/fuse" c 10 229 && mount --bind "$1/fuse" /dev/fuse  # as distributions have it
may=-all,+dac_read_search  # no right but to read: Python may be below /root
become="setpriv --reuid=65534 --regid=65534 --clear-groups"
exec $become --inh-caps=$may --ambient-caps=$may sh -eu "$2/user"
"""

AS_USER = """
cd {home}
tagfs() {{ {python} -m tagfs "$@"; }}
tagfs mount {url} point -o {options}
echo content > point/f && cat point/f
setfattr -n user.tag.team -v blue point/f
stat -c %u point/f
tagfs mount {url} point -o remount,ttl=5
tagfs mount {url} point -o remount,ttl=6,ro 2>/dev/null && exit 5  # the kernel asks for root
tagfs status point | sed -n 's/ *remembers *//p'
tagfs status point | sed -n 's/ *state *\\(ok\\).*/status \\1/p'
tagfs umount point
tagfs mount {url} point -o {options}
fusermount3 -u point
tagfs doctor {url} -o {options} | grep -E 'device|fusermount|cache_dir'
tagfs doctor {url} -o {options},allow_other | grep allow_other
tagfs mount {url} point -o {options},allow_other && exit 4
ls -A point
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_a_user_without_rights(service: Emulator, bucket: str, tmp_path: Path) -> None:
    if not all(map(shutil.which, ("unshare", "setpriv", "fusermount3"))):
        pytest.skip("needs unshare, setpriv and fusermount3")
    home = Path(f"/var/tmp/tagfs-nobody-{os.getpid()}")
    try:
        (home / "point").mkdir(parents=True)
        for path in (home, home / "point"):
            os.chown(path, NOBODY, NOBODY)
        options = (
            f"endpoint={service.url},region={REGION},cache_dir={home}/cache,log_file={home}/log"
        )
        text = AS_USER.format(
            home=home, python=sys.executable, url=f"oss://{bucket}", options=options
        )
        (home / "user").write_text(text)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(tmp_path), str(home)],
            env={**os.environ, **KEYS, "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        log = (home / "log").read_text() if (home / "log").exists() else ""
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr + log
    lines = done.stdout.splitlines()
    remembers = "listings 5.0 s, tags 60.0 s"
    assert lines[:4] == ["content", str(NOBODY), remembers, "status ok"]
    assert all(line.startswith("ok ") for line in lines[4:7]), lines
    assert lines[7].startswith("FAIL     allow_other: /etc/fuse.conf does not let users give it")
    assert len(lines) == 8
