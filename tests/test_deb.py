"""The Debian package in clean roots of Debian 12 and 13; `scripts/deb check` runs this."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.debian13 import CACHE, WITHOUT_FUSE

DEB = os.environ.get("TAGFS_DEB", "")

pytestmark = pytest.mark.skipif(not DEB, reason="needs the package: scripts/deb check")

INSIDE = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive HOME=/root
say() { echo "== $1"; }
ln -sf /proc/self/mounts /etc/mtab  # as every installer leaves it; fusermount3 reads it
apt-get -qq update
apt-get -qq install -y --no-install-recommends /tmp/tagfs.deb >/dev/null 2>&1
say installed
tagfs --version
for file in /usr/share/man/man1/tagfs.1.gz /usr/share/man/man8/mount.tagfs.8.gz \
    /usr/share/bash-completion/completions/tagfs /usr/lib/systemd/system/tagfs@.service; do
  test -s "$file"
done
tagfs emulator --service s3 --listen 127.0.0.1:0 --data /tmp/data --bucket photos > /tmp/said &
emulator=$!
until grep -q http /tmp/said; do sleep 0.1; done
endpoint=$(sed 's/listening on //' /tmp/said)
mkdir -p /etc/tagfs; (umask 077; echo emulator:emulator-secret > /etc/tagfs/keys)
options=endpoint=$endpoint,credentials=/etc/tagfs/keys
python3=/usr/bin/python3
for kind in tagfs fuse.tagfs; do
  mount -t $kind s3://photos /mnt -o $options
  echo content > /mnt/file-of-$kind
  $python3 -c "import os; os.setxattr('/mnt/file-of-$kind', 'user.tag.team', b'blue')"
  umount /mnt
done
tagfs mount s3://photos /mnt -o $options,allow_other
$python3 -c "import os; print(os.getxattr('/mnt/file-of-tagfs', 'user.tag.team').decode())"
tagfs umount /mnt
say mounted
useradd -m user
(umask 077; echo emulator:emulator-secret > /home/user/keys); chown user /home/user/keys
su user -c "mkdir ~/b && tagfs mount s3://photos ~/b -o endpoint=$endpoint,credentials=\$HOME/keys \
  && cat ~/b/file-of-tagfs && tagfs umount ~/b"
say "for a user"
kill $emulator; wait $emulator || :
dpkg -r tagfs-mount >/dev/null
test ! -e /usr/bin/tagfs -a ! -e /usr/lib/tagfs -a ! -e /usr/sbin/mount.tagfs
say removed
"""

OUTSIDE = r"""
set -eu
root=$1 deb=$2 inside=$3
work=$(mktemp -d)
mount -t tmpfs none "$work"
mkdir "$work/up" "$work/own" "$work/m"
mount -t overlay -o "lowerdir=$root,upperdir=$work/up,workdir=$work/own" none "$work/m"
mount -t tmpfs none "$work/m/dev"
for node in null:1:3 zero:1:5 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
  IFS=: read -r name major minor <<< "$node"
  mknod -m 666 "$work/m/dev/$name" c "$major" "$minor"
done
mount -t proc proc "$work/m/proc"
cp /etc/resolv.conf "$work/m/etc/resolv.conf"
cp "$deb" "$work/m/tmp/tagfs.deb"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$work/m" sh -c "$inside"
"""


def clean_root(suite: str) -> Path:
    """Return a root directory that has what Debian demands, and nothing else."""
    root = CACHE / f"clean-{suite}"
    if root.exists():
        return root
    CACHE.mkdir(mode=0o700, exist_ok=True)
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    command = ["unshare", "-m", "sh", "-c", WITHOUT_FUSE, "-"]
    command += ["debootstrap", "--variant=minbase", suite, str(part)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    part.rename(root)
    return root


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_it_is_installed_mounts_and_goes_again(suite: str) -> None:
    root = clean_root(suite)
    done = subprocess.run(
        [
            *"unshare -m --pid --fork --kill-child bash -c".split(),
            OUTSIDE,
            "-",
            str(root),
            DEB,
            INSIDE,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert said == ["== installed", "== mounted", "== for a user", "== removed"]
    assert "\nblue\n" in done.stdout
    assert "\ncontent\n" in done.stdout
