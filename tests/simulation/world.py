"""One run: two hosts, their disks and programs, the service; and what must hold afterwards."""

import errno
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tagfs.config.settings import BucketUrl, Settings
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.staged_file import StagingArea
from tagfs.fs.context import FsContext, FsOptions
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.recovery.staging_directory import StagingDirectory
from tagfs.recovery.startup_notice import notice
from tagfs.store.bucket import Limits
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.simulation.acts import TTL, Act, Living
from tests.simulation.disk import Disk, path_class
from tests.simulation.kernel import Kernel
from tests.simulation.model import Found, Model
from tests.simulation.plan import NAMES, OTHERS, Plan, Step
from tests.simulation.primitives import EPOCH, Pool
from tests.simulation.recovering import left_behind, recover
from tests.simulation.scheduler import Dead, Simulation, Task
from tests.simulation.service import Weather, view_of
from tests.simulation.wire import Wire

PART = 64
"""Bytes of a part, so that a few hundred bytes are a large file."""


class Host:
    """A mount, and its kernel.

    Attributes:
        label: of which host its tasks are: another mount of it is another one.
        cache_dir: where its mounts stage; on a disk of its own.
    """

    def __init__(self, world: "World", name: str, label: str = "") -> None:
        self.name, self.label = name, label or name
        self.world = world
        plan = world.plan
        chance = random.Random(world.sim.chance.random())
        self.weather = Weather(chance, plan.faults, plan.slow, plan.slowest, effect=world.effect)
        self.weather.unanswered = world.model.unanswered
        self.cache_dir: Path = world.path(f"/{name}")  # type: ignore[assignment]
        with world.sim.on(self.label):
            self.fs, self.kernel = self._mount()
        self.weather.faults, self._faults = 0.0, self.weather.faults

    def _mount(self) -> tuple[FileSystem, Kernel]:
        sim = self.world.sim
        url = BucketUrl(service="oss", bucket="bucket", prefix="")
        settings = Settings(url=url, cache_dir=self.cache_dir)
        self.staging = StagingDirectory(settings, Path("/mnt"))
        notice(settings)
        bucket = CachedBucket(
            self.world.view(self.weather),
            ttl=TTL,
            tag_ttl=TTL,
            clock=lambda: sim.now,
            wall=self.world.now_ns,
        )
        self._pools = Pool(sim, 4, f"{self.name}-ahead"), Pool(sim, 2, f"{self.name}-upload")
        env = FsContext(
            bucket=bucket,
            root=Root(),
            choices=FsOptions(uid=0, gid=0, part_size=PART, uploads_behind=self.world.plan.behind),
            executor=self._pools[0],
            upload_executor=self._pools[1],
            budget=MemoryBudget(2**20),
            staging=StagingArea(self.staging.path),
            caller=lambda: (0, 0),
            caller_execs=lambda: False,
            caller_holds=lambda _path: False,
            caller_lists=lambda: False,
            clock_ns=self.world.now_ns,
        )
        self.real = FileSystem(env, dict)
        fs: FileSystem = Living(sim, self.real)  # type: ignore[assignment]
        model = self.world.model
        plan = self.world.plan
        return fs, Kernel(sim, fs, model.files.get, looks=plan.looks, lag=plan.lag)

    def owns(self, path: str) -> bool:
        """Say whether its programs change what is at a path."""
        return (path in OTHERS) == (self.name == "B")

    @property
    def is_dead(self) -> bool:
        """Whether the mount has died."""
        return self.world.sim.is_down(self.label)

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Let requests and the disk fail meanwhile."""
        self.weather.faults = self._faults
        self.world.failing_disks.add(self.label)
        yield
        self.calm()

    def begin_trouble(self) -> None:
        """Let requests and the disk fail from now on."""
        self.weather.faults = self._faults
        self.world.failing_disks.add(self.label)

    def calm(self) -> None:
        """Let nothing fail any more."""
        self.weather.faults = 0.0
        self.world.failing_disks.discard(self.label)

    def close(self) -> None:
        """Unmount."""
        self.calm()
        self.real.close()
        for pool in self._pools:
            pool.shutdown()
        self.staging.close()


class World:
    """A service, two hosts with their disks, and the model of what is in it."""

    def __init__(self, sim: Simulation, plan: Plan, disk: Disk) -> None:
        self.sim, self.plan, self.disk = sim, plan, disk
        self.path = path_class(disk)
        limits = Limits(min_part=PART, max_put=5 * 1024**3)
        self._wire = Wire(sim, plan.service, PART) if plan.service else None
        self._memory = MemoryBucket(limits=limits, clock=self.now_ns)
        self.bucket: Any = self._wire.client() if self._wire else self._memory
        self.model = Model()
        self.changed: dict[str, float] = {}
        self.busy: dict[str, int] = {}
        self.tokens = self.saves = 0
        self.hosts: dict[str, Host] = {}
        self.failed: list[BaseException] = []
        self.lives: dict[str, int] = {}
        self.failing_disks: set[str] = set()
        self._disk_chance = random.Random(sim.chance.random())
        disk.effect, disk.fault, disk.host = self.effect, self._disk_fault, self._label

    def view(self, weather: Weather) -> Any:
        """Return the bucket as a host sees it: over a wire, or in memory."""
        if self._wire is not None:
            return self._wire.client(weather)
        return view_of(self._memory, self.sim, weather)

    def now_ns(self) -> int:
        return int((EPOCH + self.sim.now) * 1e6) * 1000

    def run(self) -> None:
        """Do what is planned, let it settle, and judge.

        Raises:
            Violation, Stuck
        """
        names = sorted({host for host, _ in self.plan.programs})
        self.hosts = {name: Host(self, name) for name in names}
        self._prepare()
        if self.plan.death:
            self.lives["A"] = self.plan.death
        programs = {name: self._begin(self.hosts[name], self.plan.programs) for name in names}
        for host in self.hosts.values():
            host.begin_trouble()
        for name in names:
            self._join(programs[name])
            if self.hosts[name].is_dead:
                self._go_on(name)
        for name, host in self.hosts.items():
            self._join([self.sim.spawn(f"{host.label}-end", host.close, host.label)])
            self.disk.end(host.label)
            if host.is_dead:
                self._unfinished()
                self._recover(name)
        offered = [one for name in names for one in left_behind(self.hosts[name].cache_dir)]
        self.model.judge(self._found(), self._directories(), offered)

    def _begin(self, host: Host, programs: tuple[tuple[str, tuple[Step, ...]], ...]) -> list[Task]:
        tasks = []
        for number, (name, steps) in enumerate(programs):
            if name == host.name:
                task = self.sim.spawn(
                    f"{host.label}{number}", self._program(host, steps), host.label
                )
                task.is_program = True
                tasks.append(task)
        return tasks

    def _join(self, tasks: list[Task]) -> None:
        for task in tasks:
            while not (task.is_over or self.sim.is_dead(task) or self.failed):
                self.sim.join(task, 1.0)
            if self.failed:
                raise self.failed[0]

    def _go_on(self, name: str) -> None:
        """Recover what a mount left that died, and mount again."""
        self._unfinished()
        again = self._again(name) if self.plan.is_early else []
        self._recover(name)
        self._join(again or self._again(name))

    def _recover(self, name: str) -> None:
        """Run `tagfs recover` until it comes to its end; until then nobody sees what is left."""
        paths = list(self.model.files)
        for path in paths:
            self.busy[path] = self.busy.get(path, 0) + 1
        self._run_recoveries(name)
        for path in paths:
            self.busy[path] -= 1
            self.changed[path] = self.sim.now

    def _run_recoveries(self, name: str) -> None:
        for number, life in enumerate((*self.plan.deaths_again, 0)):
            label = f"{name}-recovery{number}"
            if life:
                self.lives[label] = life
            self._join([self.sim.spawn(label, self._recovery(name), label)])

    def _again(self, name: str) -> list[Task]:
        host = self.hosts[name] = Host(self, name, f"{name}'")
        return self._begin(host, tuple((name, steps) for steps in self.plan.after))

    def _recovery(self, name: str) -> Callable[[], None]:
        weather = Weather(random.Random(self.sim.chance.random()), effect=self.effect)
        view = self.view(weather)
        return lambda: recover(self.hosts[name].cache_dir, view, self.sim.note)

    def _unfinished(self) -> None:
        """Whatever was not closed may be as it was before, or not be at all."""
        if self.plan.is_power and self.plan.behind:  # as what the disk was not told to keep
            self.model.unsure |= self.model.directories
        for path, file in list(self.model.files.items()):
            if self.plan.is_early and len(file.history) > 1 and path not in OTHERS:
                # What is recovered meets what is done beside it, as another host's writes would.
                self.model.failed(path)
            if file.dirty and path not in OTHERS:
                file.revert()
                if file.acked < 0:
                    self.model.failed(path, deletes=path)

    # What dies, and what fails

    def _label(self) -> str:
        task = self.sim.current
        return (task.host if task is not None else None) or ""

    def effect(self) -> None:
        """Something changes on a disk or on the service: the mount may die before it."""
        task = self.sim.current
        if task is None:
            return
        if task.is_cut:
            raise Dead
        self.sim.point()
        left = self.lives.get(task.host or "", 0)
        if left:
            self.lives[task.host or ""] = left - 1
            if left == 1:
                self._kill(task.host or "")

    def _kill(self, label: str) -> None:
        waiting = self.hosts[label[0]].real.replaced  # deletions that a crash forgets
        if not self.hosts[label[0]].is_dead:
            self.model.unsure |= {path for path in (*NAMES, *OTHERS) if path in waiting}
        self.disk.end(label)
        if self.plan.is_power and not (self.plan.is_early and self.hosts[label[0]].label != label):
            self.disk.cut_power(f"/{label[0]}")
        self.hosts[label[0]].weather.struck += 1
        self.sim.crash(label)

    def _disk_fault(self, call: str) -> int | None:
        if self._label() not in self.failing_disks:
            return None
        if self._disk_chance.random() >= self.plan.disk_faults:
            return None
        fault = self._disk_chance.choice(FAULTS.get(call, FAULTS[""]))
        self.hosts[self._label()[0]].weather.struck += 1
        self.sim.note(f"  disk: {call}: {errno.errorcode.get(fault, 'short')}")
        return fault

    # What is there before, and afterwards

    def _prepare(self) -> None:
        """Have something there before it begins."""
        if "B" in self.hosts:  # else who deletes on one host does not see that the other does, too
            self.bucket.put("d/", BytesSource(b""), NewObject())
        for path, tags in (("/d/a", {}), ("/d/b", {"k": "old"}), ("/d/z", {}), ("/a", {})):
            data = self.token(40)
            self.bucket.put(path[1:], BytesSource(data), NewObject(tags=TagSet(tags)))
            file = self.model.make(path)
            file.now, file.history, file.tags = [data], [data], [tags]
            file.acked, file.dirty = 0, False

    def token(self, size: int) -> bytes:
        """Return bytes that nobody else writes."""
        self.tokens += 1
        return (f"<{self.tokens}>".encode() * size)[:size]

    def _program(self, host: Host, steps: tuple[Step, ...]) -> Callable[[], None]:
        def run() -> None:
            try:
                for step in steps:
                    if host.is_dead:
                        break
                    Act(self, host, step).run()
            except Dead:
                pass
            except Exception as error:  # noqa: BLE001  raised by who waits for the programs
                self.failed.append(error)

        return run

    def _found(self) -> Found:
        keys = [info.key for info in self.bucket.list("", delimiter="").objects]
        return {
            "/" + key: (self.bucket.get(key).data, dict(self.bucket.get_tags(key)))
            for key in keys
            if not key.endswith("/")
        }

    def _directories(self) -> set[str]:
        keys = ["/" + info.key for info in self.bucket.list("", delimiter="").objects]
        return {key[:at] for key in keys for at in range(1, len(key)) if key[at] == "/"}


FAULTS: dict[str, tuple[int, ...]] = {
    "write": (errno.ENOSPC, errno.EIO, 0, 0),
    "open": (errno.ENOSPC, errno.EIO),
    "rename": (errno.ENOSPC, errno.EIO),
    "truncate": (errno.EIO,),
    "sync": (errno.EIO, errno.ENOSPC),
    "": (errno.EIO,),
}
"""What each call on the disk fails with; 0: a write that is done in part."""
