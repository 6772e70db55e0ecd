"""F1, F2: many processes at once: no error, no deadlock, nothing that grows."""

import contextlib
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.mount.conftest import MountFactory
from tests.mounting import Mounted, wait_for
from tests.soak.load import run_load
from tests.waiting import FAR

SECONDS = 5.0


def test_sixty_four_processes(mount_with: MountFactory) -> None:
    mount = mount_with("part_size=102400")
    reported, usage = run_load(mount.path, mount.process.pid, SECONDS)
    assert reported.errors == []
    assert reported.calls > 500
    assert reported.slowest < 60
    wait_for(lambda: not mount.staged(), 10)
    assert max(usage.descriptors) < 600
    assert mount.judge.uploads() == []


def test_storms_of_open_and_close(mount: Mounted) -> None:
    """A hundred threads open and close one file that others replace."""
    (mount.path / "f").write_bytes(b"0" * 1000)
    stop = threading.Event()

    def replace() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            (mount.path / "new").write_bytes(bytes([number % 256]) * 1000)
            os.rename(mount.path / "new", mount.path / "f")

    def storm(_: int) -> int:
        done = 0
        for _ in range(20):
            # libfuse 2 itself answers ENOENT where a file is replaced between its lookup and open.
            with contextlib.suppress(FileNotFoundError):
                os.close(os.open(mount.path / "f", os.O_RDONLY))
                done += 1
        return done

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        with ThreadPoolExecutor(100) as executor:
            assert sum(executor.map(storm, range(100))) > 1995
    finally:
        stop.set()
        writer.join(60)
    assert len(set((mount.path / "f").read_bytes())) == 1
    mount.released()


def test_an_unmount_under_load_loses_nothing(mount: Mounted) -> None:
    """F4. What close had promised is there; the rest fails and does not hang."""
    promised: list[str] = []

    def write(number: int) -> None:
        for turn in range(100):
            name = f"f{number}-{turn}"
            try:
                (mount.path / name).write_bytes(name.encode())
            except OSError:
                return
            promised.append(name)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(promised) > 20)
    subprocess.run(["fusermount", "-uz", str(mount.path)], check=True)
    for thread in threads:
        thread.join(FAR)
        assert not thread.is_alive()
    mount.process.wait(FAR)
    on_the_mount = [name for name in promised if not os.path.exists(mount.path / name)]
    keys = set(mount.keys())
    assert {name for name in on_the_mount if name in promised} <= keys
    assert all(mount.content(name) == name.encode() for name in on_the_mount[:20])
