"""The layers of the source tree, read from its imports: who may use whom, and who owns what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tagfs"

OWNERS = {
    "fuse": {"tagfs.fuse.libfuse2"},
    "mfusepy": {"tagfs.fuse.libfuse3"},
    "prometheus_client": {"tagfs.monitoring.metrics"},
    "requests": {"tagfs.store.http.connection_pool"},
    "urllib3": {"tagfs.store.http.connection_pool"},
    "lxml": {"tagfs.store.wire.xml"},
    "cachetools": {"tagfs.store.cache.cached_bucket"},
}
"""Third-party libraries that one module owns; everybody else goes through it."""

PACKAGE_OWNERS = {"aiohttp": "tagfs.emulator"}
"""Third-party libraries that one package owns."""

MAY_USE = {
    "tagfs.errors": set(),
    "tagfs.extras": set(),
    "tagfs.localfiles.trusted": set(),
    "tagfs.config.settings": {"tagfs.errors", "tagfs.localfiles.trusted"},
    "tagfs.config.toml_file": {"tagfs.errors", "tagfs.localfiles.trusted", "tagfs.config.settings"},
    "tagfs.config.resolve": {"tagfs.config.toml_file", "tagfs.errors", "tagfs.config.settings"},
    "tagfs.store": {"tagfs.errors", "tagfs.localfiles.trusted"},
    "tagfs.fs": {"tagfs.errors", "tagfs.store"},
    "tagfs.fuse": {"tagfs.errors", "tagfs.extras", "tagfs.fs", "tagfs.store"},
    "tagfs.monitoring": {
        "tagfs.errors",
        "tagfs.fuse",
        "tagfs.fs",
        "tagfs.config.settings",
        "tagfs.store",
    },
    "tagfs.host": {"tagfs.errors", "tagfs.fs", "tagfs.monitoring", "tagfs.config.settings"},
    "tagfs.emulator": set(),
}
"""What each layer may import of tagfs besides itself; layers not named here are on top."""

SEAM = {"tagfs.store.bucket", "tagfs.store.objects", "tagfs.store.tags"}
"""All that the tree knows of the store."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str) -> str | None:
    return next((own for own in MAY_USE if name == own or name.startswith(own + ".")), None)


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    own = layer(name)
    if own is None:
        return
    used = {i for i in imports(MODULES[name]) if i.startswith("tagfs.")}
    for target in used:
        theirs = layer(target)
        assert theirs is not None, f"{name} imports {target}, which is above it"
        assert theirs == own or theirs in MAY_USE[own], f"{name} imports {target}"


@pytest.mark.parametrize("name", [n for n in MODULES if n.startswith("tagfs.fs.")])
def test_the_tree_knows_the_store_by_its_contract_alone(name: str) -> None:
    used = {i for i in imports(MODULES[name]) if i in MODULES and i.startswith("tagfs.store.")}
    assert used <= SEAM


@pytest.mark.parametrize("library", [*OWNERS, *PACKAGE_OWNERS])
def test_libraries_have_one_owner(library: str) -> None:
    users = {n for n, p in MODULES.items() if library in {i.split(".")[0] for i in imports(p)}}
    if library in OWNERS:
        assert users == OWNERS[library]
    else:
        assert users
        assert all(user.startswith(PACKAGE_OWNERS[library]) for user in users)


def test_no_cycles() -> None:
    graph = {n: {i for i in imports(p) if i in MODULES} - {n} for n, p in MODULES.items()}
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
        assert len(path.read_text().splitlines()) <= 550, f"{name} has grown too large"
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name} does not say what it owns"
