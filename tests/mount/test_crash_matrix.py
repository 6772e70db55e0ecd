"""D5, D7, F4: the mount, the service or `tagfs recover` dies at a request; nothing is lost.

One run has the requests that change something; `scripts/soak` has every one.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.emulated import Emulator
from tests.faults.crashes import ACTS, Act, Ground, Service, kill_service

Services = Callable[[str], Emulator]


@pytest.fixture(scope="module")
def ground(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    one = Ground(services("oss"), tmp_path_factory.mktemp("crashes"))
    yield one
    one.proxy.close()


BOTH = {"create, large", "rename a directory", "tag"}
"""Acts whose last request is also tried before it is done."""


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_the_mount_is_killed(ground: Ground, act: Act) -> None:
    assert ground.kill_mount(act, 1, after=True, kinds=act.change) == ""
    if act.name in BOTH:
        assert ground.kill_mount(act, 1, after=False, kinds=act.change) == ""


RECOVERED = [act for act in ACTS if act.name in {"rewrite", "edit, large", "rename a directory"}]


@pytest.mark.parametrize("act", RECOVERED, ids=lambda act: act.name)
def test_recovery_is_killed(ground: Ground, act: Act) -> None:
    assert ground.kill_recovery(act, 3, after=True) in {"", "done"}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ground, Service]]:
    directory = tmp_path_factory.mktemp("mortal")
    service = Service("oss", directory)
    running = Emulator("oss", service.start(), iter(()), directory / "none")
    one = Ground(running, directory, "bucket-0")
    yield one, service
    service.kill()
    one.proxy.close()


@pytest.mark.parametrize(
    "act",
    [act for act in ACTS if act.name in {"create", "append", "rename", "tag"}],
    ids=lambda act: act.name,
)
def test_the_service_is_killed(mortal: tuple[Ground, Service], act: Act) -> None:
    ground, service = mortal
    assert kill_service(ground, service, act, 1, after=True, kinds=act.change) == ""
