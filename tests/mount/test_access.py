"""Who may do what in a mount: other users, and mounts of normal users. docs/access.md."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import KEYS, Mounted, command, mounted, run, wait_for

ALICE, BOB, CAROL = 61001, 61002, 61003

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can reach; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="tagfs-access-"))
    path.chmod(0o755)
    yield path
    if os.path.ismount(path / "mnt"):
        subprocess.run(["umount", "-l", str(path / "mnt")], check=True)

    def gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)  # a mount in the background is tidying up as well
        return not path.exists()

    wait_for(gone)


def as_user(uid: int, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool as another user."""
    become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return subprocess.run(
        [*become, *map(str, args)], capture_output=True, text=True, check=False, cwd="/", timeout=30
    )


def denied(uid: int, *args: str | Path) -> bool:
    done = as_user(uid, *args)
    refused = "Permission denied" in done.stderr or "Operation not permitted" in done.stderr
    assert (done.returncode != 0) is refused, done
    return refused


def test_others_see_nothing_unless_they_are_let_in(
    service: Emulator, bucket: str, public: Path
) -> None:
    with mounted(service, bucket, public / "mnt") as mount:
        (mount.path / "f").write_bytes(b"x")
        (mount.path / "f").chmod(0o666)
        assert denied(ALICE, "cat", mount.path / "f")
        assert denied(ALICE, "ls", mount.path)
        assert denied(ALICE, "getfattr", "-d", mount.path / "f")


@pytest.fixture
def shared(service: Emulator, bucket: str, public: Path) -> Iterator[Mounted]:
    """A bucket that everybody uses: what has no owner belongs to Alice."""
    options = f"allow_other,uid={ALICE},gid={ALICE},umask=027"
    with mounted(service, bucket, public / "mnt", options) as running:
        yield running


def test_mode_bits_hold_for_others(shared: Mounted) -> None:
    for name, mode in (("private", 0o600), ("shown", 0o644), ("open", 0o666)):
        (shared.path / name).write_bytes(b"x")
        (shared.path / name).chmod(mode)
    shared.path.chmod(0o755)
    assert denied(BOB, "cat", shared.path / "private")
    assert not denied(BOB, "cat", shared.path / "shown")
    assert denied(BOB, "tee", "-a", shared.path / "shown")
    assert not denied(BOB, "tee", shared.path / "open")
    assert denied(BOB, "touch", shared.path / "new")
    assert denied(BOB, "rm", "-f", shared.path / "open")
    assert denied(BOB, "chmod", "666", shared.path / "shown")
    assert denied(BOB, "chown", str(BOB), shared.path / "shown")
    assert shared.keys() == ["open", "private", "shown"]


def test_tags_are_changed_by_those_who_may_write(shared: Mounted) -> None:
    shared.path.chmod(0o755)
    for name, mode in (("shown", 0o644), ("open", 0o666)):
        (shared.path / name).write_bytes(b"x")
        (shared.path / name).chmod(mode)
    for attribute in ("user.tag.k", "tag.k", "user.tagging"):
        value = "k=v" if attribute == "user.tagging" else "v"
        change = ("setfattr", "-n", attribute, "-v", value)
        assert denied(BOB, *change, shared.path / "shown")
        assert denied(BOB, *change, shared.path)
        assert not denied(BOB, *change, shared.path / "open")
        assert denied(BOB, "setfattr", "-x", attribute, shared.path / "shown")
    assert shared.tags("open") == {"k": "v"}
    assert shared.tags("shown") == {}
    assert not denied(BOB, "getfattr", "-d", shared.path / "shown")


def test_tags_of_links_are_their_owners(shared: Mounted) -> None:
    """A link's mode lets everybody write, so the kernel alone would let everybody tag it."""
    shared.path.chmod(0o1777)
    link = shared.path / "link"
    assert as_user(ALICE, "ln", "-s", "target", link).returncode == 0
    tag = ("setfattr", "-h", "-n", "tag.k", "-v")
    assert denied(BOB, *tag, "bob", link)
    assert denied(BOB, "setfattr", "-h", "-x", "tag.k", link)
    assert not denied(ALICE, *tag, "alice", link)
    assert shared.tags("link") == {"k": "alice"}
    run(*tag, "root", link)
    assert shared.tags("link") == {"k": "root"}


def test_what_others_make_is_theirs(shared: Mounted) -> None:
    shared.path.chmod(0o1777)
    assert as_user(BOB, "touch", shared.path / "file").returncode == 0
    assert as_user(BOB, "mkdir", shared.path / "directory").returncode == 0
    for name in ("file", "directory"):
        found = (shared.path / name).stat()
        assert (found.st_uid, found.st_gid) == (BOB, BOB)
    assert denied(CAROL, "rm", "-f", shared.path / "file")  # sticky
    assert denied(CAROL, "tee", shared.path / "file")
    assert not denied(BOB, "rm", shared.path / "file")


def test_a_setuid_bit_goes_when_others_write(shared: Mounted, bucket: str) -> None:
    """... on both libfuses, of which the newer would leave that to us."""
    for number in "23":
        path = shared.path.parent / f"mnt{number}"
        with mounted(shared.service, bucket, path, f"allow_other,fuse={number}") as mount:
            file = mount.path / f"f{number}"
            file.write_bytes(b"x")
            file.chmod(0o4777)
            assert not denied(BOB, "sh", "-c", f"echo y >> {file}")
            assert stat.S_IMODE(file.stat().st_mode) == 0o777


@pytest.mark.parametrize("attributes", ["stored", "listing"])
def test_uid_gid_and_umask_are_for_what_has_no_owner(
    service: Emulator, bucket: str, public: Path, attributes: str
) -> None:
    options = f"allow_other,uid={ALICE},gid={BOB},umask=027,attributes={attributes}"
    with mounted(service, bucket, public / "mnt", options) as mount:
        mount.judge.put("made/elsewhere", b"x", {})
        found = (mount.path / "made/elsewhere").stat()
        above = (mount.path / "made").stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (ALICE, BOB, 0o640)
        assert (above.st_uid, above.st_gid, stat.S_IMODE(above.st_mode)) == (ALICE, BOB, 0o750)
        assert not denied(ALICE, "cat", mount.path / "made/elsewhere")
        assert not denied(BOB, "cat", mount.path / "made/elsewhere")  # of the group
        assert denied(BOB, "tee", mount.path / "made/elsewhere")
        assert denied(CAROL, "ls", mount.path / "made")


def test_a_read_only_mount_refuses_everybody(service: Emulator, bucket: str, public: Path) -> None:
    with mounted(service, bucket, public / "mnt", "ro,allow_other") as mount:
        mount.judge.put("f", b"x", {"k": "v"})
        for change in (
            ("touch", mount.path / "new"),
            ("tee", mount.path / "f"),
            ("rm", "-f", mount.path / "f"),
            ("setfattr", "-n", "user.tag.k", "-v", "w", mount.path / "f"),
        ):
            for uid in (0, ALICE):
                assert "Read-only file system" in as_user(uid, *change).stderr
        assert as_user(ALICE, "getfattr", "-d", mount.path / "f").returncode == 0
    assert mount.tags("f") == {"k": "v"}


class Host:
    """A host as normal users find it: with a /dev/fuse that is theirs as well.

    It is a mount namespace, because machines that run tests have others.
    """

    def __init__(self, process: subprocess.Popen[str], public: Path, fuse: str) -> None:
        self._enter = ["nsenter", "-m", "-t", str(process.pid)]
        self.public = public
        self.fuse = fuse

    def root(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        home = self.public / "home"
        # A user's cache is below the own home, and not where the tests have theirs.
        others = {k: v for k, v in os.environ.items() if k != "TAGFS_CACHE_DIR"}
        return subprocess.run(
            [*self._enter, *map(str, args)],
            env={**others, **KEYS, "HOME": str(home), "TAGFS_FUSE": self.fuse},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def user(self, uid: int, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a tool as a user with no right but to read (Python may be below /root)."""
        read = "-all,+dac_read_search"
        become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        become += [f"--inh-caps={read}", f"--ambient-caps={read}"]
        return self.root(*become, *args)

    def mount(
        self, service: Emulator, bucket: str, options: str = ""
    ) -> subprocess.CompletedProcess[str]:
        chosen = f"endpoint={service.url},region=cn-hangzhou,{options}".strip(",")
        start = (sys.executable, "-m", "tagfs", "mount", f"oss://{bucket}", self.public / "mnt")
        return self.user(ALICE, *start, "-o", chosen)


@pytest.fixture(params=["2", "3"])
def host(request: pytest.FixtureRequest, public: Path) -> Iterator[Host]:
    for name in ("home", "mnt"):
        (public / name).mkdir()
        os.chown(public / name, ALICE, ALICE)
    known = Path("/etc/passwd").read_text() + f"alice:x:{ALICE}:{ALICE}::/:/bin/sh\n"
    (public / "passwd").write_text(known)  # fusermount asks for the name
    prepare = (
        f"mknod -m 666 {public}/fuse c 10 229 && mount --bind {public}/fuse /dev/fuse && "
        f"mount --bind {public}/passwd /etc/passwd && echo ready && read _"
    )
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", prepare],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        running = Host(process, public, request.param)
        yield running
        running.root("umount", "-l", public / "mnt")


def test_a_normal_user_mounts_and_unmounts(host: Host, service: Emulator, bucket: str) -> None:
    point = host.public / "mnt"
    done = host.mount(service, bucket)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    assert f" {point} fuse.tagfs rw,nosuid,nodev" in host.root("cat", "/proc/mounts").stdout
    tag = ("setfattr", "-n", "user.tag.k", "-v", "v", point / "f")
    assert host.user(ALICE, "touch", point / "f").returncode == 0
    assert host.user(ALICE, *tag).returncode == 0
    shown = host.user(ALICE, "stat", "-c", "%u %g", point / "f")
    assert shown.stdout.split() == [str(ALICE), str(ALICE)]
    for other in (host.user(BOB, "ls", point), host.root("ls", point)):  # not even root
        assert "Permission denied" in other.stderr
    done = host.user(ALICE, sys.executable, "-m", "tagfs", "umount", point)
    assert done.returncode == 0, done.stderr
    assert str(point) not in host.root("cat", "/proc/mounts").stdout
    assert stat.S_IMODE((host.public / "home/.cache/tagfs").stat().st_mode) == 0o700
    assert dict(service.open(bucket).get_tags("f")) == {"k": "v"}


def test_a_normal_user_who_lets_others_in(host: Host, service: Emulator, bucket: str) -> None:
    done = host.mount(service, bucket, "allow_other")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "allow_other is for root" in line
    assert "/etc/fuse.conf has a line 'user_allow_other'" in line
    (host.public / "fuse.conf").write_text("# as the administrator set it\nuser_allow_other\n")
    host.root("mount", "--bind", host.public / "fuse.conf", "/etc/fuse.conf")
    done = host.mount(service, bucket, "allow_other")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.user(ALICE, "touch", host.public / "mnt/f").returncode == 0
    assert host.user(BOB, "ls", host.public / "mnt").stdout == "f\n"
    assert "Permission denied" in host.user(BOB, "touch", host.public / "mnt/g").stderr


def test_without_a_setuid_fusermount(host: Host, service: Emulator, bucket: str) -> None:
    """... a normal user gets an error that says so, by it and by us."""
    for name in ("fusermount", "fusermount3"):
        tool = shutil.which(name)
        if tool is not None:
            shutil.copyfile(os.path.realpath(tool), host.public / "plain")
            (host.public / "plain").chmod(0o755)
            host.root("mount", "--bind", host.public / "plain", os.path.realpath(tool))
    done = host.mount(service, bucket)
    assert done.returncode == 1
    assert "Operation not permitted" in done.stderr
    assert "libfuse could not mount" in done.stderr


def test_in_a_container_with_a_user_namespace(service: Emulator, bucket: str, public: Path) -> None:
    """Root of a user namespace mounts without fusermount, and sees its own uid."""
    point = public / "mnt"
    point.mkdir()
    probe = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("no user namespaces here")
    start = " ".join(command(service, f"oss://{bucket}", point)).replace(" -f ", " ")
    use = f"echo x > {point}/f && stat -c %u {point}/f; umount {point}"
    script = f"{start},cache_dir={public}/c && {use}"
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        env={**os.environ, **KEYS},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert service.open(bucket).head("f") is not None
