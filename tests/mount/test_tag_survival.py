"""G4, G5. Tags survive everything that changes the object in place; and they follow mv.

One table: what is done to a tagged object, and the tags that it has on the service afterwards.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mounting import Mounted, mounted, run

TAGS = {"k": "v", "é +": "1=2"}
HEADER = "k=v&%C3%A9%20%2B=1%3D2"

PART = 100 * 1024
LARGE = 3 * PART + 5
"""Bytes of an object that is uploaded, edited and appended to in parts."""

Deed = Callable[[Path, Path], object]
"""Gets the mount's directory and a local scratch directory."""


@dataclass(frozen=True)
class Case:
    """What is done to the object `f`, and what becomes of it.

    Attributes:
        after: content of the object that `key` names afterwards; None if it does not matter.
    """

    name: str
    deed: Deed
    size: int = 10
    key: str = "f"
    after: Callable[[bytes], bytes] | None = None
    tags: dict[str, str] = field(default_factory=lambda: TAGS)


def pwrite(path: Path, offset: int, new: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, new, offset)
    os.close(fd)


def append(path: Path, new: bytes) -> None:
    with path.open("ab") as file:
        file.write(new)


def touch_mode_owner(directory: Path, _: Path) -> None:
    (directory / "f").chmod(0o700)
    os.chown(directory / "f", 12, 34)
    os.utime(directory / "f", (1, 2))


def save_by_rename(directory: Path, _: Path) -> None:
    (directory / "f.tmp123").write_bytes(b"new")
    (directory / "f.tmp123").replace(directory / "f")


def save_by_rename_unclosed(directory: Path, _: Path) -> None:
    with (directory / "f.tmp123").open("wb") as file:
        file.write(b"new")
        (directory / "f.tmp123").replace(directory / "f")


def save_over_unclosed(directory: Path, _: Path) -> None:
    with (directory / "new").open("wb") as file:
        file.write(b"x")
        os.setxattr(file.fileno(), "user.tag.a", b"1")
        (directory / "g").write_bytes(b"new")
        (directory / "g").replace(directory / "new")


def save_with_backup(directory: Path, _: Path) -> None:
    (directory / "f").rename(directory / "f~")
    (directory / "f").write_bytes(b"new")
    (directory / "f~").unlink()


def save_over_reader(directory: Path, _: Path) -> None:
    with (directory / "f").open("rb"):
        save_by_rename(directory, _)


def with_vim(*settings: str) -> Deed:
    def edit(directory: Path, _: Path) -> None:
        chosen = [word for s in ("nocp", "viminfo=", *settings) for word in ("-c", f"set {s}")]
        # vim ends with 1 because its standard input is no terminal: the content is the judge.
        run(
            "sh",
            "-c",
            'vim "$@" || true',
            "sh",
            "-es",
            *chosen,
            "-c",
            "%s/x/y/g",
            "-c",
            "wq",
            directory / "f",
        )

    return edit


def rsync(*options: str) -> Deed:
    def copy(directory: Path, local: Path) -> None:
        (local / "f").write_bytes(b"new")
        run("rsync", "-a", *options, local / "f", directory / "f")

    return copy


def shell(command: str) -> Deed:
    def execute(directory: Path, local: Path) -> None:
        (local / "new").write_bytes(b"new")
        run("sh", "-ec", command, "sh", local, cwd=directory)

    return execute


def copy_with_xattrs(directory: Path, _: Path) -> None:
    run("cp", "-a", "--preserve=xattr", directory / "f", directory / "g")


def create_tagged(directory: Path, local: Path) -> None:
    (local / "f").write_bytes(b"x" * LARGE)
    os.setxattr(local / "f", "user.tag.a", b"1")
    run("cp", "-a", "--preserve=xattr", local / "f", directory / "new")


def create_large(directory: Path, _: Path) -> None:
    with (directory / "new").open("wb") as file:
        file.write(b"x" * PART)
        os.setxattr(file.fileno(), "user.tag.a", b"1")
        file.write(b"x" * LARGE)
        os.setxattr(file.fileno(), "user.tag.b", b"2")


def new(_: bytes) -> bytes:
    return b"new"


CASES = [
    Case("create", lambda d, _: (d / "new").write_bytes(b"x"), key="new", tags={}),
    Case("create large, tagged meanwhile", create_large, key="new", tags={"a": "1", "b": "2"}),
    Case("cp --preserve=xattr of a large file", create_tagged, key="new", tags={"a": "1"}),
    Case("overwrite", lambda d, _: (d / "f").write_bytes(b"new"), after=new),
    Case("O_TRUNC alone", lambda d, _: (d / "f").open("wb").close(), after=lambda _: b""),
    Case("append", lambda d, _: append(d / "f", b"yz"), after=lambda old: old + b"yz"),
    Case("pwrite", lambda d, _: pwrite(d / "f", 3, b"yz"), after=lambda o: o[:3] + b"yz" + o[5:]),
    Case("truncate shorter", lambda d, _: os.truncate(d / "f", 4), after=lambda old: old[:4]),
    Case("truncate longer", lambda d, _: os.truncate(d / "f", 20), after=lambda o: o + bytes(10)),
    Case("chmod, chown, utime", touch_mode_owner, after=lambda old: old),
    Case(
        "overwrite by parts",
        lambda d, _: (d / "f").write_bytes(b"y" * LARGE),
        after=lambda _: b"y" * LARGE,
    ),
    Case(
        "pwrite into parts",
        lambda d, _: pwrite(d / "f", PART, b"yz"),
        size=LARGE,
        after=lambda old: old[:PART] + b"yz" + old[PART + 2 :],
    ),
    Case(
        "append to parts",
        lambda d, _: append(d / "f", b"yz"),
        size=LARGE,
        after=lambda old: old + b"yz",
    ),
    Case(
        "truncate parts",
        lambda d, _: os.truncate(d / "f", LARGE - PART),
        size=LARGE,
        after=lambda old: old[: LARGE - PART],
    ),
    Case("chmod of parts", touch_mode_owner, size=LARGE, after=lambda old: old),
    Case("mv", shell("mv f g"), key="g", after=lambda old: old),
    Case("mv of parts", shell("mv f g"), size=LARGE, key="g", after=lambda old: old),
    Case("mv of a directory", shell("mkdir d; mv f d; mv d e"), key="e/f", after=lambda old: old),
    Case("mv over it", shell("echo > new; mv new f"), after=lambda _: b"\n"),
    Case(
        "mv of one with tags over it",
        shell("touch g; setfattr -n user.tag.o -v 1 g; mv g f"),
        tags={"o": "1"},
    ),
    Case("mv in place of it", shell("mv f f.old; echo > f"), after=lambda _: b"\n"),
    Case("save by rename", save_by_rename, after=new),
    Case("save by rename before close", save_by_rename_unclosed, after=new),
    Case("save by rename over an open file", save_over_reader, after=new),
    Case("save over an unclosed file", save_over_unclosed, key="new", tags={"a": "1"}),
    Case("save with backup", save_with_backup, after=new),
    Case("vim", with_vim("backupcopy=auto"), after=lambda old: b"y" * len(old) + b"\n"),
    Case("vim, copying", with_vim("backupcopy=yes"), after=lambda old: b"y" * len(old) + b"\n"),
    Case("vim, renaming", with_vim("backupcopy=no"), after=lambda old: b"y" * len(old) + b"\n"),
    Case("vim, no backup", with_vim("nowritebackup"), after=lambda old: b"y" * len(old) + b"\n"),
    Case("sed -i", shell("sed -i s/x/y/g f"), after=lambda old: b"y" * len(old)),
    Case("sed -i.bak", shell("sed -i.bak s/x/y/g f"), after=lambda old: b"y" * len(old)),
    Case("perl -pi", shell("perl -pi -e s/x/y/g f"), after=lambda old: b"y" * len(old)),
    Case("rsync", rsync(), after=new),
    Case("rsync --inplace", rsync("--inplace"), after=new),
    Case("rsync --append-verify", rsync("--append-verify")),
    Case("rsync --backup", rsync("--backup"), after=new),
    Case("cp over it", shell('cp "$1/new" f'), after=new),
    Case(
        "cp --remove-destination", shell('cp --remove-destination "$1/new" f'), after=new, tags={}
    ),
    Case("cp -a --preserve=xattr", copy_with_xattrs, key="g", after=lambda old: old),
    Case("cp -a --preserve=xattr of parts", copy_with_xattrs, size=LARGE, key="g"),
    Case("shutil.copy2", lambda d, _: shutil.copy2(d / "f", d / "g"), key="g"),
    Case("shutil.move", lambda d, _: shutil.move(d / "f", d / "g"), key="g"),
    Case("tee -a", shell("printf yz | tee -a f >/dev/null"), after=lambda old: old + b"yz"),
    Case(
        "dd conv=notrunc",
        shell('dd if="$1/new" of=f conv=notrunc status=none'),
        after=lambda o: b"new" + o[3:],
    ),
    Case(">>", shell("printf yz >> f"), after=lambda old: old + b"yz"),
    Case(">", shell("printf yz > f"), after=lambda _: b"yz"),
    Case("install over it", shell('install -m 600 "$1/new" f'), after=new, tags={}),
    Case("touch", shell("touch f"), after=lambda old: old),
    Case("truncate(1)", shell("truncate -s 0 f"), after=lambda _: b""),
]


@pytest.fixture(scope="module")
def tagged(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """One mount for all cases, each of which has a directory of its own."""
    path = tmp_path_factory.mktemp("survival") / "mnt"
    with mounted(service, service.take(), path, f"part_size={PART}") as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_g4_tags_survive(tagged: Mounted, tmp_path: Path, case: Case) -> None:
    """G4. Tags survive everything that changes the object in place, and follow mv; G5. an editor
    that saves by renaming keeps them."""
    prefix = re.sub(r"\W+", "-", case.name)
    content = b"x" * case.size
    tagged.sdk.put_object(f"{prefix}/f", content, headers={"x-oss-tagging": HEADER})
    case.deed(tagged.path / prefix, tmp_path)
    key = f"{prefix}/{case.key}"
    assert tagged.tags(key) == case.tags
    if case.after is not None:
        assert tagged.content(key) == case.after(content)
