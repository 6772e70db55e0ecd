"""The layers of the source tree, read from its imports: who may use whom, and who owns what."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tagfs"

FOLDERS = [
    "errors",
    "extras",
    "localfiles",
    "terminal",
    "globs",
    "store",
    "blockcache",
    "catalogue",
    "rules",
    "fs",
    "fuse",
    "config",
    "monitoring",
    "recovery",
    "host",
    "manual",
    "doctor",
    "bulk",
    "api",
    "fsspec_file",
    "fsspec_api",
    "status",
    "mount_catalogue",
    "running_settings",
    "session",
    "emulator",
    "demo",
    "commands",
    "cli",
    "__main__",
]
"""Folders and modules of tagfs, from bottom to top: each uses only what stands above it here."""

ROOMS = {
    "tagfs.store": [
        "limits",
        "tags",
        "objects",
        "versions",
        "acl",
        "http_dates",
        "key_locks",
        "single_flight",
        "object_reads",
        "object_writes",
        "object_versions",
        "bucket",
        ".",
        "cache",
        "credentials.values",
        "credentials.private_files",
        "credentials.customer_key",
        "dialects",
        "wire",
        "http",
        "credentials",
        "client",
    ],
    "tagfs.store.client": [
        ".",
        "reads",
        "acls",
        "annotations",
        "tags",
        "deletes",
        "trials",
        "writes",
        "multipart",
        "copies",
        "object_versions",
        "probes",
        "parts",
        "client",
    ],
    "tagfs.fs": [
        "clock",
        "mapping",
        "pending",
        "content",
        "context",
        "openfiles",
        "tree",
        "xattr",
        "prefetch",
        "views",
        ".",
        "filesystem",
        "view_filesystem",
    ],
}
"""The same inside of the large folders; "." are the modules that stand in none of the rooms
and are not named themselves."""

OWNERS = {
    "fsspec": {"tagfs.fsspec_api", "tagfs.fsspec_file"},
    "fuse": {"tagfs.fuse.libfuse2"},
    "mfusepy": {"tagfs.fuse.libfuse3"},
    "prometheus_client": {"tagfs.monitoring.metrics"},
    "requests": {"tagfs.store.http.connections"},
    "urllib3": {"tagfs.store.http.connections"},
    "certifi": {"tagfs.store.certificates"},
    "lxml": {"tagfs.store.wire.xml"},
}
"""Third-party libraries that one module owns; everybody else goes through it."""

PACKAGE_OWNERS = {
    "aiohttp": ("tagfs.emulator",),
    "cachetools": ("tagfs.store", "tagfs.fs"),
}
"""Third-party libraries that are used in some packages only."""

APART = {
    "tagfs.store": {"tagfs.terminal"},
    "tagfs.fs": {"tagfs.terminal"},
    "tagfs.store.cache": {
        "tagfs.store.client",
        "tagfs.store.credentials",
        "tagfs.store.dialects",
        "tagfs.store.http",
        "tagfs.store.wire",
    },
    "tagfs.fs.prefetch": {"tagfs.fs.xattr"},
    "tagfs.fs.mapping": {"tagfs.fs.content"},
}
"""What a folder does not use though it stands below: neighbours that know nothing of each other."""

LONGEST = 300
"""Lines of a module."""

SEAM = {
    "tagfs.store.bucket",
    "tagfs.store.objects",
    "tagfs.store.tags",
    "tagfs.store.object_reads",
    "tagfs.store.object_writes",
    "tagfs.store.object_versions",
    "tagfs.store.scope",
    "tagfs.store.versions",
}
"""All that the tree knows of the store."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@cache
def imports(path: Path) -> frozenset[str]:
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


MODULES = dict(modules())


@cache
def used_by(name: str) -> frozenset[str]:
    """Modules of tagfs that a module imports; a package that it imports something of is not one."""
    found = {i for i in imports(MODULES[name]) if i in MODULES}
    packages = {i for i in found if any(other.startswith(i + ".") for other in found)}
    return frozenset(found - packages - {name})


def is_in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def floor(name: str, top: str, order: list[str]) -> int:
    """Where a module stands in a list of folders below `top`."""
    inner = name.removeprefix(top + ".")
    for place, folder in enumerate(order):
        if is_in(inner, folder):
            return place
    assert "." in order, f"{name}: no folder of {top} has it"
    return order.index(".")


@pytest.mark.parametrize(("top", "order"), [("tagfs", FOLDERS), *ROOMS.items()])
def test_imports_point_down(top: str, order: list[str]) -> None:
    inside = [name for name in MODULES if name.startswith(f"{top}.")]
    floors = {name: floor(name, top, order) for name in inside}
    upward = [
        f"{name} imports {target}, which is above it"
        for name in inside
        for target in used_by(name)
        if floors.get(target, -1) > floors[name]
    ]
    assert not upward


@pytest.mark.parametrize("folder", APART)
def test_neighbours_know_nothing_of_each_other(folder: str) -> None:
    for name in MODULES:
        if is_in(name, folder):
            used = {t for t in used_by(name) if any(is_in(t, other) for other in APART[folder])}
            assert not used, f"{name} uses {used}"


def test_the_emulator_knows_nothing_of_the_rest() -> None:
    for name in MODULES:
        if is_in(name, "tagfs.emulator"):
            assert all(is_in(target, "tagfs.emulator") for target in used_by(name)), name


def test_the_tree_knows_the_store_by_its_contract_alone() -> None:
    beyond = {
        f"{name} uses {target}"
        for name in MODULES
        if is_in(name, "tagfs.fs")
        for target in used_by(name) - SEAM
        if is_in(target, "tagfs.store")
    }
    assert not beyond


def test_the_tree_knows_no_habit_of_libfuse() -> None:
    """What libfuse calls a file that it hides is translated in tagfs.fuse."""
    knows = [n for n, p in MODULES.items() if "fuse_hidden" in p.read_text()]
    assert knows == ["tagfs.fuse.hidden_files"]


@pytest.mark.parametrize("library", [*OWNERS, *PACKAGE_OWNERS])
def test_libraries_have_one_owner(library: str) -> None:
    users = {n for n, p in MODULES.items() if library in {i.split(".")[0] for i in imports(p)}}
    if library in OWNERS:
        assert users == OWNERS[library]
    else:
        assert users
        assert all(any(is_in(user, p) for p in PACKAGE_OWNERS[library]) for user in users)


def test_every_folder_is_in_the_picture() -> None:
    """docs/architecture.md draws them, with the rooms of the large ones."""
    page = (ROOT / "docs/architecture.md").read_text()
    picture = set(re.findall(r"\w+", page.split("```")[1])) | {"emulator"}
    drawn = [
        *FOLDERS,
        *(
            path.name
            for top in ("store", "store/client", "fs")
            for path in (PACKAGE / top).iterdir()
        ),
    ]
    folders = {name for name in drawn if "." not in name and not name.startswith("__")}
    assert not folders - picture
    assert "`tagfs/emulator/`" in page


def test_no_cycles() -> None:
    graph = {n: {i for i in imports(p) if i in MODULES} - {n} for n, p in MODULES.items()}
    graph["tagfs"] = set()  # it imports its names when they are asked for, after all is there
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, f"a cycle: {' -> '.join([*trail, name])}"
        state[name] = 1
        for target in graph[name]:
            visit(target, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def test_names_and_sizes() -> None:
    for name, path in MODULES.items():
        last = name.rpartition(".")[2]
        assert last not in {"utils", "helpers", "common", "manager", "handler", "misc"}, name
        lines = len(path.read_text().splitlines())
        assert lines <= LONGEST, f"{name} has {lines} lines: split it"
        assert ast.get_docstring(tree_of(path)), f"{name} does not say what it owns"


def test_what_is_imported_is_declared() -> None:
    """Nothing comes only by luck, with what some other library needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked_for = [line for name in ("emulator", "fsspec", "metrics") for line in extras[name]]
    wanted = [*project["dependencies"], *asked_for]
    declared = {re.split(r"[>=\[ ]", line)[0].lower().replace("-", "_") for line in wanted}
    named = {"fuse": "fusepy"}
    used = {name.partition(".")[0] for _, path in modules() for name in imports(path)}
    ours = set(sys.stdlib_module_names) | {"tagfs"}
    assert {named.get(name, name) for name in used - ours} == declared
