"""D4. Programs of others that test file systems, a few seconds of each; `scripts/soak` has more."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import Mounted, mounted
from tests.soak import tools

TOOLS: dict[str, Callable[[Path, float, tools.Beat], None]] = {
    "stress-ng": partial(tools.stress, stressors=("rename", "symlink", "mmap")),
    "fio": tools.fio,
    "dbench": tools.dbench,
    "build": tools.build,
}


@pytest.fixture(scope="module")
def torn(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    path = tmp_path_factory.mktemp("torture") / "mnt"
    with mounted(service, service.take(), path) as running:
        yield running


@pytest.mark.parametrize("name", TOOLS)
def test_a_program_of_others(torn: Mounted, name: str) -> None:
    place: Path = torn.path / name
    place.mkdir()
    try:
        TOOLS[name](place, 1.0, lambda: None)
    except tools.Missing as missing:
        pytest.skip(str(missing))
    assert torn.judge.uploads() == []
