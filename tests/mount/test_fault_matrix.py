"""F1, F2, D5, D7: calls on a mount while the service misbehaves: errno, state, what is left.

One mount for each service; the faults strike the request that makes a call's outcome seen.
"""

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.emulated import Emulator
from tests.faults.crashes import ACTS, Act, Ground, shown
from tests.faults.faults import Kind, Lag, Meanwhile, every, lost
from tests.faults.proxy import Rule
from tests.mounting import Mounted, wait_for

CHOSEN = (
    "dropped before",
    "reply lost",
    "500 after",
    "503",
    "403 denied",
    "400",
    "timeout before",
    "reset in the answer",
    "login page",
    "200 with an error",
)
KINDS = [kind for kind in every() if kind.name in CHOSEN]
TOGETHER = 12
SHARE = int(os.environ.get("TAGFS_FAULT_SHARE", "60"))
ERRNOS = {errno.EIO, errno.EACCES, errno.EINVAL}
WRITES = {"create", "rewrite", "create, large", "rewrite, large", "edit, large", "append"}
"""Acts whose failure keeps what was written on the local disk."""

TAKEN = {"create, large": {errno.EEXIST}, "edit, large": {errno.ESTALE}}
"""What the next close says of an upload that was completed without an answer: what is at the key
now is the upload's own, but nothing shows that."""

Services = Callable[[str], Emulator]


@pytest.fixture(scope="module", params=["oss", "obs", "s3"])
def field(
    request: pytest.FixtureRequest, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ground, Mounted]]:
    ground = Ground(services(request.param), tmp_path_factory.mktemp("faults"))
    with ground.mount("", "timeout=2") as mount:
        yield ground, mount
    ground.proxy.close()


def run(ground: Ground, mount: Mounted, act: Act, kind: Kind, times: int | None) -> str:
    """Run one cell; say what is wrong with how it ended."""
    prefix = ground.lay(act)
    rule = Rule(kind.fault, act.change, times=times, about=prefix)
    ground.proxy.board.add(rule)
    number = 0
    try:
        act.run(mount.path / prefix / "d")
    except OSError as error:
        number = error.errno or -1
    finally:
        ground.proxy.board.drop(rule)
    found = ground.state(prefix)
    what = f"{act.name}, {kind.name}, {times or 'for ever'}: errno {number}, {shown(found)}"
    if not rule.hits:
        return f"{what}: never struck"
    if times is not None and times <= kind.heals and kind.name != "timeout before":
        return "" if number == 0 and found == act.after else what
    if number == 0:
        return "" if found == act.after else what
    whole = found in (act.before, act.after, *act.phases) or act.name == "rename a directory"
    return "" if number in ERRNOS | TAKEN.get(act.name, set()) and whole else what


def judge(ground: Ground, mount: Mounted, act: Act, kind: Kind, times: int | None) -> str:
    """Run a cell, and once more if it seems wrong: on a busy machine its time is too short."""
    cell = (ground, mount, act, kind, times)
    return run(*cell) and run(*cell)


def test_calls_on_a_mount(field: tuple[Ground, Mounted]) -> None:
    ground, mount = field
    acts = [act for act in ACTS if not act.append or mount.has("append")]
    if mount.kind == "s3":  # whose smallest part is 5 MiB
        acts = [act for act in acts if "large" not in act.name]
    cells = [(act, kind, times) for act in acts for kind in KINDS for times in (1, None)]
    cells = cells[:: {"oss": 2, "obs": 5, "s3": 3}[mount.kind] if SHARE != 1 else 1]
    before = len(os.listdir(f"/proc/{mount.process.pid}/fd"))
    with ThreadPoolExecutor(TOGETHER) as executor:
        judged = executor.map(lambda cell: judge(ground, mount, *cell), cells)
        wrong = [text for text in judged if text]
    assert wrong == []
    writes = sum(act.name in WRITES for act, _, _ in cells)
    mount.released()
    wait_for(lambda: len(mount.staged()) <= writes)  # only what could not be uploaded is kept
    wait_for(lambda: len(os.listdir(f"/proc/{mount.process.pid}/fd")) <= before + 80)


def test_what_another_host_makes_at_the_old_name(field: tuple[Ground, Mounted]) -> None:
    """The reply to a rename's deletion is lost, and another client makes a file there: it stays."""
    ground, mount = field
    wrong = []
    for act in ACTS:
        if not act.name.startswith("rename"):
            continue
        prefix = ground.lay(act)
        key = "t/a" if "directory" in act.name else "f"

        def make(key: str = f"{prefix}/d/{key}") -> None:
            ground.judge.put(key, b"theirs")

        rule = Rule(Meanwhile(make, lost), act.change, times=1, about=f"{prefix}/d/{key}")
        ground.proxy.board.add(rule)
        act.run(mount.path / prefix / "d")
        ground.proxy.board.drop(rule)
        found = ground.state(prefix)
        if found != {**act.after, key: (b"theirs", {})} or not rule.hits:
            wrong.append(f"{act.name}: {shown(found)}")
    assert wrong == []


def test_a_listing_that_lags_behind(field: tuple[Ground, Mounted]) -> None:
    """What this mount did it sees at once; another host's when the listing shows it."""
    ground, mount = field
    prefix = ground.lay(next(act for act in ACTS if act.name == "rename over"))
    directory = mount.path / prefix / "d"
    ground.judge.put(f"{prefix}/d/gone", b"")
    rule = Rule(Lag(), "GET list", about=prefix)
    ground.proxy.board.add(rule)
    assert sorted(os.listdir(directory)) == ["f", "g", "gone"]
    (directory / "new").write_bytes(b"new")
    (directory / "made").mkdir()
    (directory / "gone").unlink()
    (directory / "f").rename(directory / "moved")
    ground.judge.put(f"{prefix}/d/theirs", b"theirs")
    mine = ["g", "made", "moved", "new"]
    assert sorted(os.listdir(directory)) == mine
    for name, data in (("new", b"new"), ("moved", b"old"), ("g", b"replaced")):
        assert (directory / name).read_bytes() == data
        assert (directory / name).stat().st_size == len(data)
    with pytest.raises(FileNotFoundError):
        (directory / "gone").stat()
    (directory / "new").write_bytes(b"newer")
    assert (directory / "new").read_bytes() == b"newer"
    ground.proxy.board.drop(rule)
    assert rule.hits > 0
    mount.forget()
    assert sorted(os.listdir(directory)) == [*mine, "theirs"]
    assert (directory / "theirs").read_bytes() == b"theirs"
    assert ground.state(prefix)["new"] == (b"newer", {})
