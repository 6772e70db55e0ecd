"""Both libfuses: which one is taken, and what each of them could do otherwise."""

import ctypes
import errno
import mmap
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from tagfs.config.fuse_options import FUSE_OPTIONS, SELINUX
from tagfs.errors import SettingsError
from tagfs.extras import LIBFUSE3, how_to_add
from tagfs.fuse import libfuse3, loader as binding_choice
from tests.emulated import Emulator
from tests.mount.conftest import MountFactory
from tests.mount.posix.syscalls import Directory
from tests.mount.test_budgets import fill
from tests.mounting import KEYS, Mounted, command, mounted, wait_for

MIB = 1024 * 1024
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


@pytest.fixture(params=["2", "3"])
def either(request: pytest.FixtureRequest, mount_with: MountFactory) -> Mounted:
    """An empty bucket, mounted on each libfuse."""
    running = mount_with(f"fuse={request.param},log_level=debug")
    assert f"(libfuse {request.param}." in running.log()
    return running


@pytest.fixture
def on_3(mount_with: MountFactory) -> Mounted:
    return mount_with("fuse=3,log_level=debug")


def test_names_that_libfuse_makes_up_and_those_that_programs_do(either: Mounted) -> None:
    """D4, T1: an open file without a name is nowhere on the service; one that has such a name is a
    file like any other, whoever has it open."""
    above, made_up = either.path / "d", ".fuse_hidden0000000200000001"
    above.mkdir()
    for name in ("renamed", "unlinked", "replaced", "next"):
        (above / name).write_text(name)
    with ExitStack() as stack:
        names = ("renamed", "unlinked", "replaced")
        files = [stack.enter_context((above / name).open()) for name in names]
        os.rename(above / "renamed", above / made_up)
        assert either.content(f"d/{made_up}") == b"renamed"
        assert (above / made_up).read_text() == "renamed"
        os.unlink(above / "unlinked")
        os.rename(above / "next", above / "replaced")
        wait_for(lambda: set(either.keys()) == {"d/", f"d/{made_up}", "d/replaced"})
        os.rename(above, either.path / "e")
        for name, file in zip(names, files, strict=True):
            assert os.fstat(file.fileno()).st_size == len(name)
            assert file.read() == name
    either.released()
    assert set(either.keys()) == {"e/", f"e/{made_up}", "e/replaced"}
    os.unlink(either.path / "e" / made_up)
    assert set(either.keys()) == {"e/", "e/replaced"}


def test_libfuse_3_is_the_default(mount_with: MountFactory) -> None:
    assert "(libfuse 3." in mount_with("fuse=auto").log()


def test_libfuse_2_is_taken_where_only_that_is(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    """In a mount namespace of its own, with nothing where libfuse 3 is."""
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("needs root and unshare")
    [library] = set(re.findall(r"/\S*/libfuse3\.so\.\d\S*", _ldconfig())) or {""}
    point = tmp_path / "point"
    point.mkdir()
    start = " ".join(command(service, f"oss://{bucket}", point, "fuse=auto"))
    hide = f"mount --bind /dev/null $(readlink -f {library})"
    look = f"for i in $(seq 200); do mountpoint -q {point} && break; sleep 0.05; done"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{hide}; {start} & {look}; umount {point}; wait $!"],
        env={**os.environ, **KEYS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "(libfuse 2." in done.stderr


def _ldconfig() -> str:
    return subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise SettingsError(f"{name} is missing")

    monkeypatch.setattr(binding_choice, "_libfuse3", lambda: missing("mfusepy"))
    assert binding_choice.choose("auto").version().startswith("libfuse 2")
    with pytest.raises(SettingsError, match=r"^mfusepy is missing$"):
        binding_choice.choose("3")
    monkeypatch.setattr(binding_choice, "_libfuse2", lambda: missing("libfuse 2"))
    with pytest.raises(SettingsError, match="mfusepy is missing; or: libfuse 2 is missing"):
        binding_choice.choose("auto")


def test_mfusepy_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "mfusepy.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, "-c", "from tagfs.fuse import loader; loader.choose('3')"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].endswith(f"mfusepy is missing: {how_to_add(LIBFUSE3)}")


def test_writes_and_reads_are_larger(on_3: Mounted) -> None:
    content = os.urandom(4 * MIB)
    with (on_3.path / "f").open("wb", buffering=0) as file:
        file.write(content)
    assert on_3.content("f") == content
    assert (on_3.path / "f").read_bytes() == content
    log = on_3.log()
    assert log.count(f"write('/f', {MIB} bytes") == 4
    if os.getuid() == 0 and os.access("/sys/class/bdi", os.W_OK):
        assert f"read('/f', {MIB}, 0" in log


@pytest.mark.skipif(
    binding_choice.choose("3").version() < "libfuse 3.17", reason="libfuse does not tell the kernel"
)
def test_one_directory_is_looked_up_in_parallel(far_service: Emulator, tmp_path: Path) -> None:
    with mounted(far_service, far_service.take(), tmp_path / "far", "fuse=3") as running:
        requests = running.requests()
        with ThreadPoolExecutor(8) as executor:
            found = executor.map(lambda n: (running.path / f"missing{n}").exists(), range(8))
            assert not any(found)
        rows = requests.rows()
        first_end = min(row["time"] + row["seconds"] for row in rows)
        assert sum(row["time"] < first_end for row in rows) >= 8, rows


def test_a_small_write_is_one_call_of_the_tree(either: Mounted) -> None:
    """... although the kernel asks for an attribute before each: that is answered on the way."""
    with (either.path / "f").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(b"x" * 128)
    log = either.log()
    assert log.count("write('/f', 128 bytes") == 50
    assert "getxattr(" not in log


def test_what_is_agreed_upon_with_the_kernel() -> None:
    everything = (1 << 27) - 1
    connection = SimpleNamespace(
        capable=everything, want=0x14F819, want_ext=0x14F819, max_write=2 * MIB, max_read=0
    )
    libfuse3.negotiate(connection, {"max_read": "65536", "splice_write": True, "sync_read": True})
    wanted = [name for name, bit in libfuse3.CAPABILITIES.items() if connection.want & bit]
    assert sorted(wanted) == [
        "parallel_dirops",
        "readdirplus",
        "readdirplus_auto",
        "splice_write",
    ]
    assert connection.want == connection.want_ext
    assert (connection.max_write, connection.max_read) == (MIB, 65536)
    libfuse3.negotiate(connection, {"max_write": "4096", "atomic_o_trunc": True})
    assert connection.max_write == 4096
    assert connection.want & libfuse3.CAPABILITIES["atomic_o_trunc"]


@pytest.fixture
def renameat2() -> Iterator[object]:
    libc = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD

    def call(old: Path, new: Path, flags: int) -> int:
        done = libc.renameat2(here, os.fsencode(old), here, os.fsencode(new), flags)
        return ctypes.get_errno() if done else 0

    return call  # type: ignore[return-value]


def test_renames_that_a_bucket_cannot_do_at_once(either: Mounted, renameat2) -> None:
    one, two = either.path / "one", either.path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    assert renameat2(one, two, RENAME_EXCHANGE) == errno.EINVAL
    assert renameat2(one, two, RENAME_NOREPLACE) == errno.EEXIST
    on_3 = "(libfuse 3." in either.log()
    expected = 0 if on_3 else errno.EINVAL
    assert renameat2(one, either.path / "three", RENAME_NOREPLACE) == expected
    moved = "three" if on_3 else "one"
    assert {key: either.content(key) for key in [*either.keys()]} == {moved: b"1", "two": b"2"}


def test_every_option_of_libfuse_is_taken(mount_with: MountFactory) -> None:
    """... by both, so that a line of /etc/fstab serves either."""
    values = {
        "fsname": "x", "subtype": "y", "max_read": "65536", "entry_timeout": "1",
        "negative_timeout": "1", "attr_timeout": "1", "ac_attr_timeout": "1", "remember": "5",
        "intr_signal": "10", "modules": None, "max_write": "65536", "max_readahead": "65536",
        "max_background": "20", "congestion_threshold": "10", "blksize": None, "blkdev": None,
        "debug": None, "allow_root": None, "auto_unmount": None, "sync_read": None,
        "nothreads": None, "max_threads": "20", "max_idle_threads": "5",
    }  # fmt: skip
    chosen = [
        name if name not in values else f"{name}={values[name]}"
        for name in sorted(FUSE_OPTIONS.difference(SELINUX))
        if values.get(name, name) is not None
    ]
    exclusive = [("3", name) for name in ("sync_read", "nothreads", "auto_unmount", "allow_root")]
    for number, option in [("2", ",".join(chosen)), ("3", ",".join(chosen)), *exclusive]:
        running = mount_with(f"fuse={number},{option}")
        (running.path / "f").write_bytes(b"abc")
        assert (running.path / "f").read_bytes() == b"abc"


def test_files_are_emptied_by_the_open_itself(either: Mounted, mount_with: MountFactory) -> None:
    number = "3" if "(libfuse 3" in either.log() else "2"
    running = mount_with(f"fuse={number},atomic_o_trunc,log_level=debug")
    running.judge.put("f", b"long content", {"k": "v"})
    with (running.path / "f").open("wb") as file:
        file.write(b"short")
    assert running.content("f") == b"short"
    assert running.tags("f") == {"k": "v"}
    os.close(os.open(running.path / "f", os.O_WRONLY | os.O_TRUNC))
    assert running.content("f") == b""


def test_mapped_pages_go_where_they_belong(either: Mounted) -> None:
    """... through a descriptor that appends, too."""
    (either.path / "f").write_bytes(b"a" * 5000)
    fd = os.open(either.path / "f", os.O_RDWR | os.O_APPEND)
    with mmap.mmap(fd, 5000) as mapped:
        mapped[10:13] = b"xyz"
        mapped.flush()
    os.close(fd)
    assert either.content("f") == b"a" * 10 + b"xyz" + b"a" * 4987


def test_what_is_asked_of_an_open_file_without_a_name(either: Mounted) -> None:
    with (either.path / "f").open("w+b") as file:
        file.write(b"abcdef")
        file.flush()
        (either.path / "f").unlink()
        os.ftruncate(file.fileno(), 3)
        os.fchmod(file.fileno(), 0o600)
        found = os.fstat(file.fileno())
        assert (found.st_size, found.st_mode & 0o777) == (3, 0o600)
        file.seek(0)
        assert file.read() == b"abc"
    wait_for(lambda: either.keys() == [])


def test_an_open_file_without_a_name_and_hard_remove(mount_with: MountFactory) -> None:
    running = mount_with("fuse=3,hard_remove")
    with (running.path / "f").open("w+b") as file:
        file.write(b"abcdef")
        file.flush()
        (running.path / "f").unlink()
        os.ftruncate(file.fileno(), 3)
        file.seek(0)
        assert file.read() == b"abc"
        with pytest.raises(OSError, match=r"Stale|No such"):
            os.fchmod(file.fileno(), 0o600)
    wait_for(lambda: running.keys() == [])


def test_sigterm_ends_it_well(on_3: Mounted) -> None:
    file = (on_3.path / "f").open("wb")
    file.write(b"abc")
    file.flush()
    on_3.process.terminate()
    wait_for(lambda: on_3.process.poll() is not None)
    assert on_3.process.returncode == 0, on_3.log()
    assert on_3.content("f") == b"abc"
    with pytest.raises(OSError):
        file.close()


class TestReading:
    """Directories: attributes that are known come with the names."""

    COUNT = 300  # ten pages of the kernel

    def sizes(self, mount: Mounted) -> dict[str, int]:
        """Look at every entry while the directory is being read, as find(1) does."""
        return {entry.name: entry.stat().st_size for entry in os.scandir(mount.path)}

    def looks(self, mount: Mounted) -> int:
        return mount.log().count("getattr('/0")

    @pytest.fixture
    def listed(self, on_3: Mounted) -> Mounted:
        fill(on_3, self.COUNT, "")
        assert len(self.sizes(on_3)) == self.COUNT
        return on_3

    def test_who_walks_is_answered_with_the_names(self, listed: Mounted) -> None:
        listed.forget_in_kernel()
        before = self.looks(listed)
        sizes = self.sizes(listed)
        assert sizes == {f"{n:04}": len(f"x{n}") for n in range(self.COUNT)}
        assert self.looks(listed) == before

    def test_what_comes_with_the_names_is_true_then(self, listed: Mounted) -> None:
        """A page is made when it is asked for: what was written since the reading began counts."""
        with os.scandir(listed.path) as entries:
            first = next(entries).name
            names = [f"{n:04}" for n in range(self.COUNT) if f"{n:04}" != first]
            changed, removed, moved, linked = names[-1], names[-2], names[-3], names[-4]
            (listed.path / changed).write_bytes(b"longer than it was")
            for name in (removed, linked):
                (listed.path / name).unlink()
            (listed.path / moved).rename(listed.path / "zzz")
            os.symlink("0000", listed.path / linked)
            seen = {entry.name for entry in entries}
        assert (listed.path / changed).stat().st_size == len("longer than it was")
        assert (listed.path / changed).read_bytes() == b"longer than it was"
        for name in (removed, moved):
            assert not os.path.lexists(listed.path / name)
        assert os.readlink(listed.path / linked) == "0000"
        assert {changed, linked} <= seen

    def test_what_is_not_known_is_not_made_up(self, on_3: Mounted) -> None:
        """Of a directory whose entries are known in part, the others have no attributes yet."""
        fill(on_3, 60, "")
        for number in range(0, 60, 3):
            os.stat(on_3.path / f"{number:04}")
        (on_3.path / "dir").mkdir()
        os.symlink("0001", on_3.path / "link")
        on_3.forget_in_kernel()
        found = {e.name: e.stat(follow_symlinks=False) for e in os.scandir(on_3.path)}
        assert found.pop("dir").st_mode & 0o170000 == 0o040000
        assert found.pop("link").st_size == len("0001")
        assert {n: s.st_size for n, s in found.items()} == {
            f"{n:04}": len(f"x{n}") for n in range(60)
        }
        assert all(status.st_uid == os.getuid() for status in found.values())

    def test_a_directory_can_be_read_from_anywhere(self, listed: Mounted) -> None:
        """Names are those of when the reading began, until it begins anew."""
        directory = Directory(listed.path)
        try:
            places = {name: directory.tell() for name in iter(directory.read, None)}
            assert len(places) == self.COUNT + 2
            for name, following in (("0250", "0251"), ("0003", "0004"), ("0100", "0101")):
                directory.seek(places[name])
                assert directory.read() == following
            (listed.path / "new").write_bytes(b"")
            directory.rewind()
            assert {*directory.rest()} == {*places, "new"}
        finally:
            directory.close()
