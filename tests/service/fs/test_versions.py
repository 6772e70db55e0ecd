"""What objects were, as a tree shows it: names, content, tags and attributes, read only."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagfs.errors import (
    AlreadyExists,
    IsADirectory,
    NoSuchTag,
    NotADirectory,
    NotALink,
    NotFound,
    ReadOnly,
    Unsupported,
)
from tagfs.fs.view_filesystem import UNDELETE, ViewFileSystem
from tagfs.fs.views.version_names import may_be_version
from tagfs.fs.views.versions import VersionView
from tagfs.fs.views.view_directory import ViewDirectory
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client
from tagfs.store.http.messages import Attempt
from tests.emulated import Emulator, emulator
from tests.fakes.trees import environment_of, write
from tests.versioned import VersionedBucket

VIEW = "/.tagfs/versions"
SERVICES = ("oss", "obs", "s3")


@dataclass
class Tree:
    fs: ViewFileSystem
    client: Client
    kept: VersionedBucket
    attempts: list[Attempt]

    def names(self, path: str) -> list[str]:
        fh = self.fs.opendir(path)
        try:
            return sorted(name for name, *_ in self.fs.readdir(fh) if name not in (".", ".."))
        finally:
            self.fs.releasedir(fh)

    def read(self, path: str, flags: int = os.O_RDONLY) -> bytes:
        fh, _ = self.fs.open(path, flags)
        try:
            assert self.fs.getattr(None, fh) == self.fs.getattr(path)
            self.fs.flush(fh)
            self.fs.fsync(fh)
            return bytes(self.fs.read(fh, 0, 2**20))
        finally:
            self.fs.release(fh)

    def write(self, path: str, data: bytes, **tags: str) -> None:
        write(self.fs, path, data, flags=os.O_TRUNC)
        for key, value in tags.items():
            self.fs.setxattr(path, f"user.tag.{key}", value.encode(), 0)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator(tmp_path_factory.mktemp(name), 20, service=name))
            for name in SERVICES
        }


@pytest.fixture(params=SERVICES)
def tree(
    services: dict[str, Emulator], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Tree]:
    running = services[request.param]
    attempts: list[Attempt] = []
    client = running.open(observer=attempts.append)
    with (
        closing(client),
        ThreadPoolExecutor(4) as executor,
        closing(VersionedBucket(running.service, running.url, client.name)) as kept,
    ):
        bucket = CachedBucket(client, ttl=60, tag_ttl=60)
        env = environment_of(bucket, tmp_path, executor)
        directory = env.default_directory()
        view = VersionView(env, client.versions, directory)
        fs = ViewFileSystem(
            env, dict, ViewDirectory(".tagfs", directory, versions=view), listed=False
        )
        yield Tree(fs, client, kept, attempts)
        fs.close()


def test_each_version_is_a_file_with_its_tags(tree: Tree) -> None:
    fs = tree.fs
    fs.mkdir("/d", 0o755)
    tree.write("/d/f", b"one", team="blue")
    tree.write("/d/f", b"two two", team="red")
    tree.write("/other", b"x")
    fs.unlink("/d/f")
    assert tree.names("/.tagfs") == ["versions"]
    assert tree.names(VIEW) == ["d", "other"]
    assert tree.names(f"{VIEW}/d") == ["f"]
    names = tree.names(f"{VIEW}/d/f")
    listed = [v.version_id for v in tree.kept.versions() if v.key == "d/f" and not v.is_marker]
    assert sorted(name.partition("~")[2] for name in names) == sorted(listed)
    assert all(may_be_version(name) for name in names)
    by_content = {tree.read(f"{VIEW}/d/f/{name}"): f"{VIEW}/d/f/{name}" for name in names}
    first, last = by_content[b"one"], by_content[b"two two"]
    assert fs.getxattr(first, "user.tag.team") == b"blue"
    assert fs.getxattr(last, "user.tagging") == b"team=red"
    assert "user.tag.team" in fs.listxattr(first)
    assert fs.getxattr(first, "user.object.version_id").decode() in first
    assert stat.filemode(fs.getattr(last)["st_mode"]) == "-r--------"
    assert fs.getattr(last)["st_size"] == 7
    for name in ("user.tag.none", "user.meta.none", "user.object.restore", "user.none"):
        with pytest.raises(NoSuchTag):
            fs.getxattr(first, name)
    with pytest.raises(NoSuchTag):
        fs.getxattr(f"{VIEW}/d/f", "user.tag.team")
    assert fs.listxattr(f"{VIEW}/d/f") == []


def test_metadata_of_a_version_is_what_it_had(tree: Tree) -> None:
    tree.write("/f", b"x")
    tree.fs.setxattr("/f", "user.meta.note", b"old", 0)
    tree.fs.setxattr("/f", "user.comment", b"old words", 0)
    tree.fs.setxattr("/f", "user.object.content_type", b"text/x-old", 0)
    tree.write("/f", b"y")
    found = {
        (
            tree.fs.getxattr(path, "user.comment"),
            tree.fs.getxattr(path, "user.object.content_type"),
        )
        for name in tree.names(f"{VIEW}/f")
        if "user.comment" in tree.fs.listxattr(path := f"{VIEW}/f/{name}")
        and tree.fs.getxattr(path, "user.object.content_type") == b"text/x-old"
    }
    assert found == {(b"old words", b"text/x-old")}


def test_nothing_can_be_changed(tree: Tree) -> None:
    tree.write("/f", b"x")
    [name] = tree.names(f"{VIEW}/f")
    path = f"{VIEW}/f/{name}"
    before = tree.kept.versions()
    for change in (
        lambda: tree.fs.open(path, os.O_RDWR),
        lambda: tree.fs.open(path, os.O_RDONLY | os.O_TRUNC),
        lambda: tree.fs.unlink(path),
        lambda: tree.fs.setxattr(path, "user.tag.a", b"1", 0),
        lambda: tree.fs.mkdir(f"{VIEW}/new", 0o755),
        lambda: tree.fs.rmdir(f"{VIEW}/f"),
        lambda: tree.fs.rename(path, "/g"),
        lambda: tree.fs.setxattr("/.tagfs", UNDELETE, b"1", 0),
        lambda: tree.fs.setxattr(VIEW, UNDELETE, b"1", 0),
    ):
        with pytest.raises(ReadOnly):
            change()
    fh, _ = tree.fs.open(path, os.O_RDONLY)
    with pytest.raises(Unsupported):
        tree.fs.copy_file_range(fh, 0, fh, 0, 1)
    tree.fs.release(fh)
    assert tree.kept.versions() == before


def test_what_is_not_there(tree: Tree) -> None:
    tree.fs.mkdir("/d", 0o755)
    tree.write("/d/f", b"x")
    [name] = tree.names(f"{VIEW}/d/f")
    for path in (
        "/.tagfs/tag",
        f"{VIEW}/none",
        f"{VIEW}/d/f/2026-01-01T00:00:00Z~none",
        f"{VIEW}/d/f/{name}/x",
    ):
        with pytest.raises(NotFound):
            tree.fs.getattr(path)
    with pytest.raises(IsADirectory):
        tree.fs.open(f"{VIEW}/d", os.O_RDONLY)
    with pytest.raises(IsADirectory):
        tree.fs.open("/.tagfs", os.O_RDONLY)
    with pytest.raises(NotADirectory):
        tree.names(f"{VIEW}/d/f/{name}")
    for path in ("/.tagfs", f"{VIEW}/d/f", f"{VIEW}/d/f/{name}"):
        with pytest.raises(NotALink):
            tree.fs.readlink(path)


def test_links_say_what_they_said(tree: Tree) -> None:
    tree.fs.symlink("/link", "../one ")
    tree.fs.unlink("/link")
    tree.fs.symlink("/link", "two")
    paths = [f"{VIEW}/link/{name}" for name in tree.names(f"{VIEW}/link")]
    assert sorted(map(tree.fs.readlink, paths)) == ["../one ", "two"]
    assert {stat.S_IFMT(tree.fs.getattr(path)["st_mode"]) for path in paths} == {stat.S_IFLNK}
    assert sorted(tree.fs.getattr(path)["st_size"] for path in paths) == [3, 7]


def test_undelete_by_an_attribute(tree: Tree) -> None:
    tree.write("/f", b"content", team="blue")
    tree.fs.unlink("/f")
    with pytest.raises(NotFound):
        tree.fs.getattr("/f")
    tree.fs.setxattr(f"{VIEW}/f", UNDELETE, b"", 0)
    assert tree.read("/f") == b"content"
    assert tree.fs.getxattr("/f", "user.tag.team") == b"blue"
    with pytest.raises(AlreadyExists):
        tree.fs.setxattr(f"{VIEW}/f", UNDELETE, b"", 0)


@pytest.mark.parametrize("tree", ["oss"], indirect=True)
def test_what_looking_costs(tree: Tree) -> None:
    for content in (b"one", b"two", b"three"):
        tree.write("/f", content)
    tree.fs.getattr("/.tagfs")
    tree.attempts.clear()
    names = tree.names(f"{VIEW}/f")
    for name in names:
        tree.fs.getattr(f"{VIEW}/f/{name}")
        tree.fs.getattr(f"{VIEW}/f/{name}")
    counts = Counter(attempt.operation for attempt in tree.attempts)
    # What is below a directory of that name, which might be one too; and whether there is one.
    assert counts == {"ListObjectVersions": 2, "HeadObject": 3}
    tree.attempts.clear()
    assert tree.read(f"{VIEW}/f/{names[0]}") in (b"one", b"two", b"three")
    tree.fs.listxattr(f"{VIEW}/f/{names[0]}")
    tree.fs.listxattr(f"{VIEW}/f/{names[0]}")
    counts = Counter(attempt.operation for attempt in tree.attempts)
    assert counts == {"GetObject": 1, "GetObjectTagging": 1}
