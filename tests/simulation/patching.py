"""Puts what `primitives` and `disk` have in the place of what tagfs imported, for one run.

Every module of tagfs, and of the bucket in memory, is asked for its names, and every function for
its defaults: what is written tomorrow is simulated without a line here.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import tagfs
from tests.simulation import disk as disks, primitives
from tests.simulation.disk import Disk
from tests.simulation.scheduler import Simulation

WORLD = ("tagfs", "tests.fakes.memory_bucket")
OUTSIDE = ("tagfs.emulator", "tagfs.commands", "tagfs.cli", "tagfs.demo", "tagfs.__main__")
"""What is no part of a mount. Its modules are not imported for a simulation."""

PARTS = ("tagfs.fs.", "tagfs.store.", "tagfs.recovery.", "tagfs.catalogue.")
"""What is imported whole, so that all of it is simulated."""

LOCAL = ("tagfs.fs.content", "tagfs.localfiles", "tagfs.recovery", "tagfs.blockcache")
"""What uses the local disk of a host, and so the simulated one."""


@contextmanager
def simulated(sim: Simulation, disk: Disk) -> Iterator[None]:
    """Let all of tagfs run within a simulation."""
    replaced = {**primitives.names(sim), **disks.names(disk)}
    stand_ins = {id(thing): stand_in for thing, stand_in in replaced.items()}
    places = _places()
    for place, name, thing in places:
        _set(place, name, stand_ins[id(thing)])
    try:
        yield
    finally:
        for place, name, thing in places:
            _set(place, name, thing)


def _set(place: Any, name: Any, value: object) -> None:
    if isinstance(place, FunctionType):
        kind, key = name
        if kind == "kw":
            place.__kwdefaults__ = {**(place.__kwdefaults__ or {}), key: value}
        else:
            old = place.__defaults__ or ()
            place.__defaults__ = (*old[:key], value, *old[key + 1 :])
    else:
        setattr(place, name, value)


@cache
def _places() -> list[tuple[Any, Any, object]]:
    """Return every name and default of the world that is one of what is replaced."""
    sim = Simulation(0)
    of_disk = {id(thing): thing for thing in disks.names(Disk(sim.chance, float))}
    everywhere = {id(thing): thing for thing in primitives.names(sim)}
    found: list[tuple[Any, Any, object]] = []
    for module in _modules():
        is_local = module.__name__.startswith(LOCAL)
        things = {**everywhere, **of_disk} if is_local else everywhere
        for name, value in vars(module).items():
            if id(value) in things:
                found.append((module, name, things[id(value)]))
            for function in _functions(value, module):
                for number, default in enumerate(function.__defaults__ or ()):
                    if id(default) in things:
                        found.append((function, ("", number), things[id(default)]))
                for key, default in (function.__kwdefaults__ or {}).items():
                    if id(default) in things:
                        found.append((function, ("kw", key), things[id(default)]))
    return found


def _modules() -> list[ModuleType]:
    for found in pkgutil.walk_packages(tagfs.__path__, "tagfs."):
        if f"{found.name}.".startswith(PARTS):
            importlib.import_module(found.name)
    importlib.import_module("tagfs.fuse.hidden_files")
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(WORLD) and not name.startswith(OUTSIDE)
    ]


def _functions(value: object, module: ModuleType) -> list[FunctionType]:
    if isinstance(value, FunctionType) and value.__module__ == module.__name__:
        return [value]
    if isinstance(value, type) and value.__module__ == module.__name__:
        return [one for one in vars(value).values() if isinstance(one, FunctionType)]
    return []
