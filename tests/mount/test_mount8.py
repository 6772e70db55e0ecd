"""Promise F6: mounts are nosuid,nodev however they are started; and what else mount(8) passes."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.host.remount import decided_before, new_flags
from tests.emulated import Emulator
from tests.judges import REGIONS, SECRET, judge_of
from tests.mounting import KEYS, wait_for

ROOT = Path(__file__).parent.parent.parent
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

needs_mount8 = pytest.mark.skipif(
    os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount.fuse"))),
    reason="needs root, unshare, setpriv and mount.fuse",
)


def documented() -> str:
    """Return the line of /etc/fstab that docs/install.md gives."""
    text = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^oss://my-bucket .*$", text, re.MULTILINE)
    return str(line)


class Host:
    """A mount namespace in which `tagfs` is where mount(8) finds it, and /etc/fstab is ours."""

    def __init__(self, service: Emulator, bucket: str, public: Path) -> None:
        self.public = public
        self.point = public / "mnt"
        self.point.mkdir()
        self.url = f"oss://{bucket}"
        self.more = f"endpoint={service.url},cache_dir={public}/cache"
        keys = public / "keys"
        keys.touch(mode=0o600)
        keys.write_text(f"{KEYS['OSS_ACCESS_KEY_ID']}:{SECRET}")
        self.judge = judge_of("oss", service.url, bucket)

    @property
    def options(self) -> str:
        return f"{self.more},region={REGIONS['oss']},credentials={self.public}/keys,allow_other"

    def line(self, options: str) -> str:
        """Return the documented line for this bucket, with `options` added."""
        line = (
            documented()
            .replace("oss://my-bucket", self.url)
            .replace("/srv/bucket", str(self.point))
        )
        line = line.replace("/etc/tagfs/keys", f"{self.public}/keys")
        return line.replace("_netdev", f"{self.more},{options},_netdev".replace(",,", ","))

    def run(self, script: str, fstab: str = "") -> subprocess.CompletedProcess[str]:
        """Run shell commands there; whatever they mounted is taken off."""
        (self.public / "fstab").write_text(fstab + "\n")
        prepare = (
            f"mount -t tmpfs none /usr/local/bin; mount --bind {self.public}/fstab /etc/fstab; "
            f"ln -s {Path(sys.executable).parent}/tagfs /usr/local/bin/tagfs; "
            f"trap 'umount {self.point} 2>/dev/null' EXIT; "
        )
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", prepare + script],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self, way: str, options: str) -> tuple[str, str]:
        """Return the command that mounts in a `way`, and the line of fstab that it needs."""
        chosen = f"{self.options},{options}".strip(",")
        return {
            "tagfs": (f"tagfs mount {self.url} {self.point} -o {chosen}", ""),
            "mount": (f"mount -t fuse.tagfs {self.url} {self.point} -o {chosen}", ""),
            "mount.fuse": (f"mount.fuse tagfs#{self.url} {self.point} -o {chosen}", ""),
            "fstab": (f"mount {self.point}", self.line(options)),
        }[way]


@pytest.fixture
def host(service: Emulator, bucket: str) -> Iterator[Host]:
    public = Path(tempfile.mkdtemp(prefix="tagfs-mount8-"))
    public.chmod(0o755)
    yield Host(service, bucket, public)

    def gone() -> bool:
        shutil.rmtree(public, ignore_errors=True)  # a mount in the background is tidying up as well
        return not public.exists()

    wait_for(gone)


def flags_of(text: str, point: Path) -> set[str]:
    """Return the kernel's flags of a mount by the text of /proc/self/mountinfo."""
    [line] = [line for line in text.splitlines() if f" {point} " in line]
    return set(line.split()[5].split(","))


LOOK = """
cat /proc/self/mountinfo
{nobody} {point}/shell -u
head -c 1 /dev/zero | tee {point}/null >/dev/null && echo opened || echo refused
"""


def plant(host: Host) -> None:
    """Put a setuid program and a device node into the bucket, as whoever may write it can."""
    program = Path("/usr/bin/id").read_bytes()
    owner = {"uid": "0", "gid": "0"}
    host.judge.put("shell", program, meta={"mode": str(stat.S_IFREG | 0o4755), **owner})
    node = {"mode": str(stat.S_IFCHR | 0o666), "rdev": "103", **owner}  # /dev/null's number
    host.judge.put("null", b"", meta=node)


def look(host: Host, way: str, options: str) -> tuple[set[str], str, str]:
    """Return the flags of a mount, who a setuid program is run as, and what became of a node."""
    plant(host)
    command, fstab = host.start(way, options)
    shown = LOOK.format(nobody=" ".join(NOBODY), point=host.point)
    done = host.run(f"{command} || exit 9; {shown}", fstab)
    assert done.returncode == 0, done
    *table, uid, node = done.stdout.splitlines()
    return flags_of("\n".join(table), host.point), uid, node


@needs_mount8
@pytest.mark.parametrize("fuse", ["2", "3"])
@pytest.mark.parametrize("way", ["tagfs", "mount", "mount.fuse", "fstab"])
@pytest.mark.parametrize("words", ["", "suid,dev"])
def test_a_bucket_makes_nobody_root(host: Host, way: str, fuse: str, words: str) -> None:
    flags, uid, node = look(host, way, f"fuse={fuse},{words}".strip(","))
    assert {"nosuid", "nodev"} <= flags
    assert (uid, node) == ("65534", "refused")


@needs_mount8
@pytest.mark.parametrize("fuse", ["2", "3"])
@pytest.mark.parametrize("way", ["tagfs", "fstab"])
def test_unless_root_says_so(host: Host, way: str, fuse: str) -> None:
    flags, uid, node = look(host, way, f"fuse={fuse},allow_suid,allow_dev")
    assert not {"nosuid", "nodev"} & flags
    assert (uid, node) == ("0", "opened")


@needs_mount8
@pytest.mark.parametrize("fuse", ["2", "3"])
def test_no_value_is_taken_for_an_option(host: Host, fuse: str) -> None:
    """... the bucket's prefix neither, which is the name that the mount table reports."""
    host.judge.put("a,suid,dev/f", b"x")
    url = f"{host.url}/a,suid,dev"
    options = f"{host.options},fuse={fuse}"
    mount = f"tagfs mount '{url}' {host.point} -o {options}"
    done = host.run(f"{mount} && cat {host.point}/f /proc/self/mountinfo")
    assert done.returncode == 0, done
    assert done.stdout.startswith("x")
    assert {"nosuid", "nodev"} <= flags_of(done.stdout[1:], host.point)
    assert f" fuse.tagfs {url}/ " in done.stdout


@needs_mount8
@pytest.mark.parametrize("word", ["allow_suid", "allow_dev"])
def test_it_is_for_root_alone(host: Host, word: str) -> None:
    """A line of fstab that users may mount brings it to nobody: mount(8) drops its rights first."""
    device = f"mknod -m 666 {host.public}/fuse c 10 229; mount --bind {host.public}/fuse /dev/fuse"
    for path in (host.public, host.point):
        os.chown(path, 65534, 65534)
    may = "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search"
    become = f"{' '.join(NOBODY)} {may}"
    done = host.run(f"{device}; {become} tagfs mount {host.url} {host.point} -o {host.more},{word}")
    assert done.returncode == 1
    assert done.stderr == f"tagfs: {word} is for root alone\n"


PASSED = {
    "noexec": {"noexec"},
    "exec": set(),
    "ro": {"ro"},
    "user": {"noexec"},
    "users,exec": set(),
    "owner": set(),
    "group,auto,noatime": {"noatime"},
    "defaults,nouser,silent": set(),
    "noauto,x-systemd.automount,x-systemd.idle-timeout=600,x-systemd.requires=a.service": set(),
    "comment=ours,X-mount.mkdir,context=system_u:object_r:public_content_t:s0": set(),
}
"""Options of fstab, and which of the kernel's flags they bring besides nosuid and nodev."""


@needs_mount8
@pytest.mark.parametrize("words", PASSED)
def test_what_mount8_passes(host: Host, words: str) -> None:
    done = host.run(f"mount {host.point} && cat /proc/self/mountinfo", host.line(words))
    assert done.returncode == 0, done
    found = flags_of(done.stdout, host.point) - {"rw", "relatime"}
    assert found == {"nosuid", "nodev", *PASSED[words]}


LABELS = {
    "2": 'context="system_u:object_r:httpd_sys_content_t:s0:c1,c2"',
    "3": "fscontext=system_u:object_r:a_t:s0,defcontext=system_u:object_r:b_t:s0",
}
"""What SELinux sees of a mount, for each libfuse."""


@needs_mount8
@pytest.mark.parametrize("fuse", LABELS)
def test_labels_of_selinux_are_the_kernels(host: Host, fuse: str) -> None:
    """... which takes them where it runs SELinux; where it does not, tagfs says so.

    mount(8) drops them there (`test_what_mount8_passes`). Here no kernel of the tests runs it, so
    the kernel's refusal shows that they reach it.
    """
    if "selinuxfs" in Path("/proc/filesystems").read_text():
        pytest.skip("SELinux runs here: it knows no such labels")
    mount = f"tagfs mount {host.url} {host.point} -o {host.options},fuse={fuse}"
    reported = host.run(f"{mount},'{LABELS[fuse]}'")
    name = LABELS[fuse].partition("=")[0]
    assert reported.returncode == 1
    assert reported.stderr.startswith(
        f"tagfs: {name} is a label of SELinux, which this kernel does"
    )
    believed = f"{host.public}/file-systems"
    pretend = (
        f"printf 'nodev\\tselinuxfs\\n' >{believed}; mount --bind {believed} /proc/filesystems"
    )
    refused = host.run(f"{pretend}; {mount},'{LABELS[fuse]}'")
    assert refused.returncode == 1
    assert "Invalid argument" in refused.stderr
    assert host.run(f"{pretend}; {mount}").returncode == 0


REMOUNT = """
set -e
{mount}
echo one >{point}/f
mount -o remount,ro,ttl=5,upload_limit=10M {point}
mount -o remount,ro,max_requests_per_second=500 {point}
tagfs status {point} >&2
cat /proc/self/mountinfo
! touch {point}/g 2>/dev/null
cat {point}/f
mount -o remount,rw,noexec,suid,dev,tag_ttl=0,upload_limit=0 {point}
tagfs status {point} >&2
cat /proc/self/mountinfo
echo two >{point}/g
"""


CHANGED = re.compile(" *(remembers|limits) ")


@needs_mount8
@pytest.mark.parametrize("way", ["mount", "fstab"])
def test_a_remount_changes_flags_and_options(host: Host, way: str) -> None:
    """... of a mount that was read only in between as well."""
    mount, fstab = host.start(way, "")
    done = host.run(REMOUNT.format(mount=mount, point=host.point), fstab)
    assert done.returncode == 0, done
    facts = [line.split(None, 1)[1] for line in done.stderr.splitlines() if CHANGED.match(line)]
    assert facts == [
        "listings 5.0 s, tags 60.0 s",
        "500.0 requests/s, 10.0 MiB/s sent",
        "listings 5.0 s, tags 0.0 s",
        "500.0 requests/s",
    ]
    first, _, second = done.stdout.partition("one\n")
    assert {"ro", "nosuid", "nodev"} <= flags_of(first, host.point)
    assert {"rw", "noexec", "nosuid", "nodev"} <= flags_of(second, host.point)
    assert (host.judge.get("f"), host.judge.get("g")) == (b"one\n", b"two\n")


REFUSED = {
    "mount -o remount,ro,ttl=5,memory=64M POINT": (
        1,
        "no remount changes memory (it is 268435456)",
    ),
    "mount -o remount,ro,ttl=none POINT": (1, "-o ttl=none: expected seconds"),
    "mount -o remount,credential_process=x POINT": (0, "by remount: credential_process\n"),
    "NOBODY tagfs mount URL POINT -o remount,ttl=5": (1, "only root and who mounted it"),
    "mount -o remount,noexc POINT": (1, "unknown option 'noexc': did you mean 'noexec'?"),
    "tagfs mount oss://other POINT -o remount,ro": (1, "POINT is no mount of oss://other"),
    "tagfs mount URL / -o remount,ro": (1, "/ is no mount of URL: remount changes one that runs"),
    "NOBODY tagfs mount URL POINT -o remount,ro": (1, "anew: Operation not permitted"),
    "umount POINT; MOUNT,ro; mount -o remount,rw POINT": (1, "was mounted read only: unmount it"),
}
"""What is said of a remount that cannot be had, and whether it ends well."""


@needs_mount8
@pytest.mark.parametrize("script", REFUSED)
def test_what_a_remount_cannot_do(host: Host, script: str) -> None:
    mount, _ = host.start("mount", "")
    become = " ".join(NOBODY) + " --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
    words = {"NOBODY": become, "URL": host.url, "POINT": str(host.point), "MOUNT": mount}
    asked = script
    status, said = REFUSED[script]
    for word, meaning in words.items():
        script, said = script.replace(word, meaning), said.replace(word, meaning)
    done = host.run(
        f"{mount} || exit 9; {script}; status=$?; tagfs status POINT; cat /proc/self/mountinfo;"
        f" exit $status".replace("POINT", str(host.point))
    )
    assert said in done.stderr
    assert bool(done.returncode) is bool(status), done
    assert {"nosuid", "nodev"} <= flags_of(done.stdout, host.point)
    assert "listings 60.0 s" in done.stdout
    assert ("ro" in flags_of(done.stdout, host.point)) is ("MOUNT,ro" in asked), "nothing changed"


@pytest.mark.parametrize(
    ("present", "words", "flags"),
    [
        ("rw,nosuid,nodev,relatime", "ro", "ro,nosuid,nodev,relatime"),
        ("ro,nosuid,nodev", "rw", "nosuid,nodev"),
        ("rw,nosuid,nodev", "ro,rw", "nosuid,nodev"),
        ("rw,nosuid,nodev", "suid,dev,exec", "nosuid,nodev"),
        ("rw", "nosuid", "nosuid"),
        ("rw,nosuid,noexec,relatime", "exec,noatime", "nosuid,noatime"),
        ("rw,noatime,nodiratime", "atime,diratime,strictatime", "strictatime"),
        ("rw,idmapped", "ro", "ro"),
    ],
)
def test_flags_of_a_remount(present: str, words: str, flags: str) -> None:
    assert new_flags(present.split(","), words.split(",")) == set(flags.split(","))


def test_what_a_remount_cannot_change() -> None:
    words = "ro remount user_id _netdev allow_other x-systemd.requires region ttl".split()
    assert decided_before(words) == ["allow_other", "region"]
