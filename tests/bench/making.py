"""Rows that make, move and remove many small files."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.service import Fill
from tests.bench.walking import DIRECTORIES
from tests.bench.workload import SMALL, TAGS, Objects, Place, Sizes, Workload, sh


def _create(place: Place) -> None:
    (place.point / "new").mkdir()
    for number in range(place.sizes.made):
        (place.point / f"new/f{number}").write_bytes(b"x" * SMALL)


def _create_by_eight(place: Place) -> None:
    (place.point / "new").mkdir()
    with ThreadPoolExecutor(8) as pool:
        names = (place.point / f"new/f{number}" for number in range(place.sizes.made))
        list(pool.map(lambda path: path.write_bytes(b"x" * SMALL), names))


def _rsync_twice(place: Place) -> None:
    for _ in range(2):
        sh("rsync -a {}/ {}/", place.local / "tree", place.point / "in")


def _links(place: Place) -> None:
    for number in range(place.sizes.made // 4):
        (place.point / f"link{number}").symlink_to("target")


def source_tree(local: Path, sizes: Sizes) -> None:
    """Make a local tree of small files, as of a program's source."""
    for number in range(sizes.tree):
        file = local / "tree" / f"s{number % DIRECTORIES}" / f"f{number}.c"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"/* {number} */\n".encode() * (20 + number % 100))


def _tarball(local: Path, sizes: Sizes) -> None:
    source_tree(local, sizes)
    sh("tar cf {} -C {} tree", local / "tree.tar", local)


def _files(below: str, count: int) -> Callable[[Objects, Objects], bool]:
    """Return whether `count` objects that are no markers are below a prefix, none of them empty."""

    def done(_before: Objects, now: Objects) -> bool:
        found = [k for k in now if k.startswith(below) and not k.endswith("/") and now[k].size]
        return len(found) == count

    return done


def _moved(_before: Objects, now: Objects) -> bool:
    return not any(key.startswith("d/") for key in now) and any(k.startswith("e/") for k in now)


def _gone(_before: Objects, now: Objects) -> bool:
    return not any(key.startswith("d/") for key in now)


def making(sizes: Sizes) -> list[Workload]:
    """Return the rows, titles telling the sizes."""
    made, small, files = f"{sizes.made:,}", f"{sizes.small:,}", f"{sizes.tree:,}"
    all_extras = ("fuse2", "local", "listing", "oss", "rclone-full")
    each = sizes.tree // DIRECTORIES
    tree = tuple(Fill(f"d/s{n}/f{{:04d}}:{each}:{SMALL}", TAGS) for n in range(DIRECTORIES))
    return [
        Workload("create", f"create {made} small files", _create, (),
                 done=_files("new/", sizes.made), factor=2, must=True, deferred=True,
                 files=sizes.made, extras=all_extras,
                 budgets=dict.fromkeys(("tagfs", "fuse2", "oss", "local"), sizes.made + 3)),
        Workload("cp-in", f"cp -r of a source tree of {files}",
                 lambda p: sh("cp -r {} {}", p.local / "tree", p.point / "in"), (),
                 prepare=source_tree, done=_files("in/", sizes.tree), factor=2, must=True,
                 deferred=True, files=sizes.tree, extras=("local", "listing", "oss")),
        Workload("rsync", f"rsync -a of a source tree of {files}, twice",
                 _rsync_twice, (),
                 prepare=source_tree, done=_files("in/", sizes.tree), factor=2, must=True,
                 deferred=True, files=sizes.tree, extras=("local", "listing")),
        Workload("mv-directory", f"mv of a directory of {small}",
                 lambda p: sh("mv {} {}", p.point / "d", p.point / "e"),
                 (Fill(f"d/f{{:05d}}:{sizes.small}:{SMALL}", TAGS),),
                 done=_moved, patience=40, factor=2, must=True, metadata=True, extras=("oss",)),
        Workload("create-8", f"create {made} small files, 8 writers", _create_by_eight, (),
                 done=_files("new/", sizes.made), deferred=True, files=sizes.made,
                 extras=("local", "oss")),
        Workload("tar-x", f"tar x of a source tree of {files}",
                 lambda p: sh("tar xf {} -C {}", p.local / "tree.tar", p.point), (),
                 prepare=_tarball, done=_files("tree/", sizes.tree), must=True,
                 deferred=True, files=sizes.tree, extras=("local",)),
        Workload("rm-r", f"rm -r of a tree of {files}", lambda p: sh("rm -r {}", p.point / "d"),
                 tree, done=_gone, metadata=True),
        Workload("symlinks", f"{sizes.made // 4:,} symlinks", _links, (), metadata=True,
                 wants=frozenset({"links"}),
                 done=lambda _b, now: sum("link" in k for k in now) == sizes.made // 4,
                 deferred=True, extras=("local",)),
    ]  # fmt: skip
