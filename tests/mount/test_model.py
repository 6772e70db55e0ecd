"""D4. Every write pattern works: a mount and a local directory, the same calls, no difference.

Hypothesis invents programs. After every close the service must have the same bytes (asked by the
vendor's SDK) and the tags that the promises G4 and G5 foretell; at the end the same tree.
`scripts/soak` runs the same for longer.
"""

import errno
import itertools
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.mount.conftest import MountFactory
from tests.mount.twins import Files, Twins, data, facts, outcome, write_mapped
from tests.mounting import Mounted, wait_for

STEPS = int(os.environ.get("TAGFS_SOAK_STEPS", "0"))
STEPS_IN_A_PROGRAM = 40
FEWER = 25
"""Programs on the services that share their code with OSS."""

PART = 100 * 1024
"""Bytes of a part: the least that the service takes, so that small files are large ones here."""

names = st.runner().flatmap(lambda programs: st.sampled_from(programs.known))
seeds = st.integers(0, 100)
sizes = st.sampled_from([0, 1, 3, 4096, 5000, PART, 130_000, 2 * PART, 2 * PART + 1, 350_000])
offsets = st.sampled_from(
    [0, 1, 4095, 4096, 50_000, PART - 1, PART, 150_000, 2 * PART, 3 * PART, 400_000]
)
ways = st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR])
creation = st.sampled_from([0, os.O_CREAT, os.O_CREAT, os.O_CREAT | os.O_EXCL])
extras = st.sampled_from([0, 0, os.O_APPEND, os.O_TRUNC])
modes = st.sampled_from([0o644, 0o600, 0o755, 0o4755, 0o400, 0])
times = st.sampled_from([0, 1, 10**9, 1_234_567_890_123_456_789])
texts = st.sampled_from(["a", "../a", "d", "d/b", "missing", "./a", "d//b", "../../r/a", "."])

Tags = dict[str, str]


class FilePrograms(RuleBasedStateMachine):
    """Programs that change the content of two files, through several handles at once."""

    known: ClassVar[Sequence[str]] = ("a", "a", "a", "b")
    options = ""
    numbers = itertools.count()

    def __init__(self, mount: Mounted, scratch: Path) -> None:
        super().__init__()
        self.mount = mount
        self.prefix = f"run-{next(self.numbers)}/r"
        roots = (scratch / self.prefix, mount.path / self.prefix)
        for root in roots:
            root.mkdir(parents=True)
        self.twins = Twins(*roots)
        self.open: list[Files] = []
        self.tags: dict[str, Tags] = {}

    @initialize(
        seed=seeds,
        size=st.none() | sizes,
        tagged=st.booleans(),
        handles=st.lists(st.sampled_from([os.O_RDWR, os.O_RDWR | os.O_APPEND]), max_size=2),
    )
    def begins(self, seed: int, size: int | None, tagged: bool, handles: list[int]) -> None:  # noqa: FBT001
        if size is not None:
            self.saves("a", seed, size)
        if tagged:
            self.tags_it("a", "k", "v")
        for flags in handles:
            self.opens("a", flags, os.O_CREAT, 0, 0o644)

    # Files

    @rule(name=names, way=ways, create=creation, extra=extras, mode=modes)
    def opens(self, name: str, way: int, create: int, extra: int, mode: int) -> None:
        if len(self.open) == 4:
            self.closes(0)
        existed = (self.twins.roots[0] / name).exists()
        files = self.twins.open(name, way | create | extra, mode)
        if files is not None:
            self.open.append(files)
            if not existed:
                self.tags[self._name(files)] = {}

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3))
    def closes(self, which: int) -> None:
        files = self.open.pop(which % len(self.open))
        unlinked = files.is_unlinked
        name = "" if unlinked else self._name(files)
        self.twins.with_fd(files, os.close)
        if not unlinked and (files.writable or not self._others(name)):
            self._check_service(name)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3))
    def closes_a_copy(self, which: int) -> None:
        """Close a duplicate of a descriptor: that, too, uploads what was written."""
        files = self._with(which, lambda fd: os.close(os.dup(fd)))
        if files.writable and not files.is_unlinked:
            self._check_service(self._name(files))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), seed=seeds, size=sizes)
    def writes(self, which: int, seed: int, size: int) -> None:
        self._with(which, lambda fd: os.write(fd, data(seed, size)))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), offset=offsets, seed=seeds, size=sizes)
    def pwrites(self, which: int, offset: int, seed: int, size: int) -> None:
        self._with(which, lambda fd: os.pwrite(fd, data(seed, size), offset))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), parts=st.integers(2, 5), offset=offsets, seed=seeds, size=sizes)
    def writes_anew(self, which: int, parts: int, offset: int, seed: int, size: int) -> None:
        """Write parts one after the other, then change what was sent already."""
        self.ftruncates(which, 0)
        for part in range(parts):
            self.pwrites(which, part * PART, seed + part, PART + 1)
        self.pwrites(which, offset, seed + parts, size)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), size=sizes)
    def reads(self, which: int, size: int) -> None:
        self._with(which, lambda fd: os.read(fd, size))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), offset=offsets, size=sizes)
    def preads(self, which: int, offset: int, size: int) -> None:
        self._with(which, lambda fd: os.pread(fd, size, offset))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), size=offsets)
    def ftruncates(self, which: int, size: int) -> None:
        self._with(which, lambda fd: os.ftruncate(fd, size))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3))
    def fstats(self, which: int) -> None:
        if not self.open[which % len(self.open)].is_unlinked:
            self._with(which, lambda fd: (os.fstat(fd).st_size, stat.S_IMODE(os.fstat(fd).st_mode)))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3))
    def fsyncs(self, which: int) -> None:
        files = self._with(which, os.fsync)
        if files.writable and not files.is_unlinked:
            self._check_service(self._name(files), synced=True)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), offset=offsets, seed=seeds, size=sizes)
    def maps(self, which: int, offset: int, seed: int, size: int) -> None:
        files = self.open[which % len(self.open)]
        if files.flags & os.O_ACCMODE == os.O_RDWR:
            self._with(which, lambda fd: write_mapped(fd, offset, data(seed, size)))

    @rule(name=names, size=offsets)
    def truncates(self, name: str, size: int) -> None:
        done, _ = self.twins.both(lambda root: os.truncate(root / name, size))
        real = self._real(os.path.realpath(self.twins.roots[0] / name))
        if done == "returned" and not self._others(real):
            self._check_service(real)

    @rule(name=names)
    def reads_all(self, name: str) -> None:
        self.twins.both(lambda root: (root / name).read_bytes())

    @rule(name=names, seed=seeds, size=sizes)
    def saves(self, name: str, seed: int, size: int) -> None:
        """Write beside it, then rename over it, as editors do."""
        temporary = f"{name}.new"
        done, _ = self.twins.both(lambda root: (root / temporary).write_bytes(data(seed, size)))
        if done == "returned":
            self.tags[self._real(temporary)] = {}
            self._rename(temporary, name)

    @rule(old=names, new=names)
    def renames(self, old: str, new: str) -> None:
        self._rename(old, new)

    @rule(name=names)
    def unlinks(self, name: str) -> None:
        real = self._real(name)
        if self.twins.both(lambda root: os.unlink(root / name))[0] == "returned":
            del self.tags[real]

    @rule(name=names, key=st.sampled_from("kl"), value=st.sampled_from("vw"))
    def tags_it(self, name: str, key: str, value: str) -> None:
        local, mounted = self.twins.roots
        if (local / name).exists() and not (local / name).is_symlink():
            os.setxattr(mounted / name, f"user.tag.{key}", value.encode())
            real = self._real(name)
            self.tags[real] = {**self.tags[real], key: value}

    # What must be so

    def teardown(self) -> None:
        if sys.exception() is not None:  # a step has failed, and that is what to report
            self._drop_all()
            return
        try:
            while self.open:
                self.closes(0)
        finally:
            self._drop_all()
        local = self.twins.roots[0]
        found = [str(path.relative_to(local)) for path in sorted(local.rglob("*"))]
        for name in found:
            self.twins.path(name)
            self._check_service(name)
        keys = self.mount.judge.keys(f"{self.prefix}/")
        is_dir = {name: stat.S_ISDIR((local / name).lstat().st_mode) for name in found}
        wanted = [f"{self.prefix}/{name}{'/' * is_dir[name]}" for name in found]
        assert sorted(keys) == sorted([f"{self.prefix}/", *wanted])
        assert self.mount.judge.uploads() == []
        wait_for(lambda: not self.mount.staged())

    def _drop_all(self) -> None:
        while self.open:
            for fd in self.open.pop().fds:
                os.close(fd)

    def _with(self, which: int, call: Callable[[int], Any]) -> Files:
        files = self.open[which % len(self.open)]
        self.twins.with_fd(files, call)
        return files

    def _name(self, files: Files) -> str:
        return os.path.relpath(files.local_path, self.twins.roots[0])

    def _real(self, name: str) -> str:
        """Return a name with the links on its way followed, but not itself."""
        path = self.twins.roots[0] / name
        real = os.path.realpath(path.parent)  # Path.resolve refuses links that go in circles
        return os.path.relpath(f"{real}/{path.name}", self.twins.roots[0])

    def _others(self, name: str) -> list[Files]:
        """Return the open files that are the one of this name."""
        return [f for f in self.open if not f.is_unlinked and self._name(f) == name]

    def _rename(self, old: str, new: str) -> None:
        local = self.twins.roots[0] / old
        is_dir = local.is_dir() and not local.is_symlink()
        source, target = self._real(old), self._real(new)
        done, _ = self.twins.both(lambda root: os.rename(root / old, root / new))
        if done == "failed" or source == target:
            return
        tags = self.tags.pop(source)
        replaced = self.tags.get(target, {})
        self.tags[target] = tags or ({} if is_dir else replaced)
        for name in [name for name in self.tags if name.startswith(source + "/")]:
            self.tags[target + name.removeprefix(source)] = self.tags.pop(name)

    def _check_service(self, name: str, *, synced: bool = False) -> None:
        """Compare bytes, target and tags with the service's."""
        path = self.twins.roots[0] / name
        key = os.path.normpath(f"{self.prefix}/{name}")
        if path.is_symlink() and self.mount.has("symlinks"):
            self.mount.judge.get_symlink(key)
        elif path.is_symlink():
            assert self.mount.content(key) == os.fsencode(os.readlink(path))
        elif path.is_dir():
            key += "/"
        elif path.stat().st_size or synced or not self._others(name):
            # Emptiness is uploaded when the last descriptor is closed: `> file` makes it first.
            assert self.mount.content(key) == path.read_bytes()
        else:
            return
        assert self.mount.tags(key) == self.tags[name], name


class TreePrograms(FilePrograms):
    """Programs that do everything else, too, to a small tree."""

    known: ClassVar[Sequence[str]] = ("a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "d/e", "d/e/a")

    @initialize(directories=st.sampled_from([[], ["d"], ["d", "d/e"], ["e"]]))
    def has_directories(self, directories: list[str]) -> None:
        for name in directories:
            self.mkdirs(name)

    @rule(name=names)
    def mkdirs(self, name: str) -> None:
        if self.twins.both(lambda root: os.mkdir(root / name))[0] == "returned":
            self.tags[self._real(name)] = {}

    @rule(name=names)
    def rmdirs(self, name: str) -> None:
        real = self._real(name)
        if self.twins.both(lambda root: os.rmdir(root / name))[0] == "returned":
            del self.tags[real]

    @rule(name=names, text=texts)
    def symlinks(self, name: str, text: str) -> None:
        if self.twins.both(lambda root: os.symlink(text, root / name))[0] == "returned":
            self.tags[self._real(name)] = {}

    @rule(name=names)
    def looks(self, name: str) -> None:
        self.twins.path(name)
        self.twins.both(lambda root: os.readlink(root / name))

    @rule(name=st.sampled_from([".", "d", "d/e", "e", "a"]))
    def lists(self, name: str) -> None:
        self.twins.both(lambda root: sorted(os.listdir(root / name)))

    @rule(name=names, mode=modes)
    def chmods(self, name: str, mode: int) -> None:
        self.twins.both(lambda root: os.chmod(root / name, mode))
        self.twins.path(name)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 3), mode=modes, time=times)
    def sets_attributes(self, which: int, mode: int, time: int) -> None:
        self._with(which, lambda fd: os.fchmod(fd, mode))
        files = self._with(which, lambda fd: os.utime(fd, ns=(time, time)))
        self.twins.with_fd(files, lambda fd: facts(os.fstat(fd)))

    @rule(name=names, time=times)
    def touches_itself(self, name: str, time: int) -> None:
        self.twins.both(lambda r: os.utime(r / name, ns=(time, time), follow_symlinks=False))
        self.twins.path(name)

    @rule(old=names, new=names)
    def links(self, old: str, new: str) -> None:
        """The one difference: no hard links, as link(2) has it."""
        local, mounted = (root / old for root in self.twins.roots)
        done, _ = outcome(lambda: os.link(local, self.twins.roots[0] / new, follow_symlinks=False))
        if done == "returned":
            (self.twins.roots[0] / new).unlink()
        with pytest.raises(OSError) as caught:
            os.link(mounted, self.twins.roots[1] / new, follow_symlinks=False)
        assert done == "failed" or caught.value.errno == errno.EPERM

    @rule(name=names, time=times)
    def touches(self, name: str, time: int) -> None:
        self.twins.both(lambda root: os.utime(root / name, ns=(time, time)))
        self.twins.path(name)


class HeldPrograms(TreePrograms):
    """Programs whose files are uploaded after they were closed (`durability=local`)."""

    options = ",durability=local"

    def teardown(self) -> None:
        self._sync()
        super().teardown()

    def _check_service(self, name: str, *, synced: bool = False) -> None:
        self._sync()
        super()._check_service(name, synced=synced)

    def _sync(self) -> None:
        """Wait until the service has everything that was closed."""
        fd = os.open(self.mount.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@pytest.mark.parametrize(
    ("kind", "machine", "least"),
    [
        ("oss", FilePrograms, 100),
        ("oss", TreePrograms, 100),
        ("oss", HeldPrograms, FEWER),
        ("obs", TreePrograms, FEWER),
        ("s3", TreePrograms, FEWER),
        ("fuse2", TreePrograms, FEWER),
    ],
    indirect=["kind"],
)
def test_programs_see_no_difference(
    mount_with: MountFactory, tmp_path: Path, machine: type[FilePrograms], least: int
) -> None:
    """D4. ... same results, same errno; G4, G5: the right tags on the service."""
    mount = mount_with(f"part_size={PART}{machine.options}")
    programs = max(STEPS // 2 // STEPS_IN_A_PROGRAM, least)
    run_state_machine_as_test(
        lambda: machine(mount, tmp_path / "local"),  # type: ignore[arg-type]
        settings=settings(
            max_examples=programs,
            stateful_step_count=STEPS_IN_A_PROGRAM,
            deadline=None,
            derandomize=not STEPS,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
