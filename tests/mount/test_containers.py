"""Mounts as containers use them: bound into one, and made in one that may write nowhere.

What Docker does is done by unshare(1): namespaces for mounts, processes and users, a root of its
own, and the mount bound into it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.emulated import Emulator
from tests.judges import REGIONS, judge_of
from tests.mount.conftest import MountFactory
from tests.mounting import KEYS, Mounted, wait_for

ROOT = Path(__file__).parent.parent.parent
SOON = 60.0
"""Seconds for what takes one, on a busy machine."""

STRANGER = 100_000
"""A user that root of a container is outside of it."""

BOTH = pytest.mark.services("oss", "fuse2")
"""Marks what is tested on libfuse 2 and on libfuse 3."""


def needs(*flags: str) -> None:
    """Skip where the kernel gives no such namespaces."""
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("needs root, unshare and setpriv")
    probe = ["unshare", *flags, "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"the kernel forbids unshare {' '.join(flags)}")


NAMESPACES = ("-m", "-p", "-f", "--mount-proc")

CONTAINERS = {
    "processes and mounts": ("", NAMESPACES),
    "users as well": (
        f"setpriv --reuid={STRANGER} --regid={STRANGER} --clear-groups",
        ("-U", "-r", *NAMESPACES),
    ),
}
"""Who starts a container, and what it has of its own; the second is Docker's userns-remap."""

BIND = """
set -e
mount --make-rprivate /
mount --rbind / {root}
mount --bind {mount}/d {root}/mnt
cd {root}
exec {become} unshare {namespaces} -R . sh -c "$PROGRAM"
"""

PROGRAM = r"""
set -e
cd /mnt
test "$$ $(id -u)" = "1 0"
test "$(cat theirs)" = "from outside"
test "$(getfattr --only-values -n user.tag.own theirs)" = red
printf '%s' "from inside" > written
setfattr -n user.tag.team -v blue written
perl -e 'open E, ">empty"; open N, ">held"; print N "kept"; exec "true"'
echo hi > redirected
mkdir made
mv written made/moved
echo ready
read go
printf '%s' "after it was unmounted" > last
"""
"""What the container runs; a line on its standard input is the word to go on. Perl's files are
closed by execve(2) alone."""

PUT = ("PUT", None)

WRITTEN = {
    "d/empty": b"",
    "d/held": b"kept",
    "d/last": b"after it was unmounted",
    "d/made/": b"",
    "d/made/moved": b"from inside",
    "d/redirected": b"hi\n",
    "d/theirs": b"from outside",
}


@BOTH
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_mount_that_is_bound_into_a_container(
    mount_with: MountFactory, tmp_path: Path, container: str
) -> None:
    """D2, F4, F5. One PutObject a file; and it serves until the last who has it is gone."""
    become, namespaces = CONTAINERS[container]
    needs(*namespaces)
    mount = mount_with(f"allow_other,uid={STRANGER},gid={STRANGER}" if become else "")
    mount.judge.put("d/theirs", b"from outside", {"own": "red"})
    root = tmp_path / "root"
    root.mkdir()
    script = BIND.format(
        root=root,
        mount=mount.path,
        become=become,
        namespaces=" ".join(namespaces),
    )
    log = mount.requests()
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script],
        env={**os.environ, "PROGRAM": PROGRAM},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", mount.log()
            mount.released()
            _is_used_outside(mount)
            subprocess.run(["umount", "-l", mount.path], check=True)
            assert mount.process.poll() is None
            process.communicate("go on\n", timeout=SOON)
        except BaseException:
            mount.kill()
            process.kill()
            raise
    assert process.returncode == 0
    assert mount.process.wait(SOON) == 0, mount.log()
    assert {key: mount.content(key) for key in [*mount.keys()]} == WRITTEN
    assert mount.tags("d/made/moved") == {"team": "blue"}
    puts = [row["key"] for row in log.rows() if (row["method"], row["subresource"]) == PUT]
    assert sorted(puts) == ["d/empty", "d/held", "d/last", "d/made/", "d/redirected", "d/written"]


def _is_used_outside(mount: Mounted) -> None:
    """See from the host what the container did; what it closed by execve(2) may follow."""
    assert (mount.path / "d/made/moved").read_bytes() == b"from inside"
    assert os.getxattr(mount.path / "d/made/moved", "user.tag.team") == b"blue"
    wait_for(lambda: {"d/held", "d/empty"} <= set(mount.keys()))


READ_ONLY = """
set -e
mount --make-rprivate /
for at in $(findmnt -rno TARGET -t nosysfs,noproc,nodevtmpfs,nodevpts); do
    mount -o remount,bind,ro $at 2>/dev/null || true
done
! touch {probe} 2>/dev/null
{python} -m tagfs mount {url} {point} -o {options}
trap 'umount {point}' EXIT
cat {point}/f
getfattr --only-values -n user.tag.team {point}/f
! touch {point}/f 2>/dev/null
! mkdir {point}/new 2>/dev/null
{python} -m tagfs umount {point}
trap '' EXIT
"""


@BOTH
def test_a_read_only_mount_writes_nowhere(service: Emulator, tmp_path: Path) -> None:
    """... and needs no cache_dir: Kubernetes' readOnlyRootFilesystem, docker run --read-only."""
    needs("-m")
    bucket, point = service.take(), tmp_path / "mnt"
    point.mkdir()
    before = sorted(tmp_path.rglob("*"))
    judge_of("oss", service.url, bucket).put("f", b"content", {"team": "blue"})
    script = READ_ONLY.format(
        probe=tmp_path / "probe",
        python=sys.executable,
        url=f"oss://{bucket}",
        point=point,
        options=f"endpoint={service.url},region={REGIONS['oss']},ro,fuse={service.fuse or '2'}",
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        env={**os.environ, **KEYS, "HOME": "/nonexistent", "TAGFS_CACHE_DIR": "/proc/none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON,
    )
    assert (done.returncode, done.stdout) == (0, "contentblue"), done
    assert sorted(tmp_path.rglob("*")) == before


NODE = r"""
set -eu
mount -t tmpfs none "$NODE"
mount --make-shared "$NODE"
seen() { grep -q " $NODE/photos .* fuse.tagfs " /proc/self/mountinfo; }
start() {
    unshare -m --propagation unchanged sh -c '
        mount -t tmpfs none /mnt && mkdir /mnt/host && mount --rbind "$NODE" /mnt/host
        exec sh -c "$ARGS"' &
    pod=$!
    until seen && nsenter -t $pod -m $PROBE >/dev/null; do kill -0 $pod; sleep 0.1; done
}
start
echo "from the node" > "$NODE/photos/f"
unshare -m --propagation slave cat "$NODE/photos/f"
kill -KILL $pod
wait $pod || :
start
cat "$NODE/photos/f"
kill -TERM $pod
wait $pod || echo "exit status $?"
if seen; then echo "still mounted"; fi
"""
"""What a kubelet does with docs/examples/kubernetes.yaml: a hostPath that propagates both ways, the
container's command, its probe; a pod that uses it; a crash of the container; its end."""


def test_the_steps_of_the_example_for_kubernetes(service: Emulator, tmp_path: Path) -> None:
    needs(*NAMESPACES)
    example = yaml.safe_load((ROOT / "docs/examples/kubernetes.yaml").read_text())
    [container] = example["spec"]["template"]["spec"]["containers"]
    where = f"endpoint={service.url},region={REGIONS['oss']}"
    args = container["args"][0].replace("s3://photos", f"oss://{service.take()}")
    args = args.replace("region=eu-west-1", where)
    assert where in args
    (tmp_path / "node").mkdir()
    done = subprocess.run(
        ["unshare", *NAMESPACES, "--kill-child", "bash", "-c", NODE],
        env={
            **os.environ,
            **KEYS,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NODE": str(tmp_path / "node"),
            "ARGS": args,
            "PROBE": shlex.join(container["livenessProbe"]["exec"]["command"]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SOON,
    )
    assert (done.returncode, done.stdout) == (0, "from the node\nfrom the node\n"), done
