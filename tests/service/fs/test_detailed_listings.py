"""What a tree shows where listings have attributes, or tags as well, is what it shows elsewhere."""

import stat
from contextlib import closing
from pathlib import Path

import pytest

from tagfs.fs.filesystem import FileSystem
from tagfs.store.bucket import Bucket
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import emulator
from tests.fakes.trees import tree_of
from tests.mounting import RequestLog

TAGS = TagSet({"team": "a+b c", "empty": ""})
MADE = {"uid": "1001", "gid": "7", "mtime": "1000000000.5"}
OBJECTS: dict[str, tuple[bytes, dict[str, str], str]] = {
    "file": (b"x", {"mode": str(stat.S_IFREG | 0o640), **MADE}, "text/x-note"),
    "empty": (b"", {"mode": str(stat.S_IFREG | 0o600), **MADE}, "text/x-note"),
    "bare": (b"x", {}, ""),
    "bare and empty": (b"", {}, ""),
    "odd text": (b"x", {"note": "grün <&>", **MADE}, ""),
    "xattr": (b"x", {"mode": "33188", "xattr": "%7B%22user.foo%22%3A%22YmFy%22%7D"}, ""),
    "link": (b"file", {"mode": str(stat.S_IFLNK | 0o777)}, ""),
    "link of another tool": (b"file", {"symlink-target": "file"}, ""),
    "fifo": (b"", {"mode": str(stat.S_IFIFO | 0o600)}, ""),
    "old directory": (b"", {"mode": str(stat.S_IFDIR | 0o750)}, "application/x-directory"),
    "older directory": (b"", {}, "application/x-directory"),
}


def fill(client: Client) -> None:
    for number, (name, (data, metadata, kind)) in enumerate(OBJECTS.items()):
        headers = {"content-type": kind} if kind else {}
        tags = NO_TAGS if number % 3 else TAGS
        new = NewObject(metadata=metadata, headers=headers, tags=tags)
        client.put(f"d/{name}", BytesSource(data), new)
    for number in range(20):
        metadata = {"mode": "33188", "uid": str(number)}
        client.put(f"d/{number:02}", BytesSource(b"x"), NewObject(metadata=metadata, tags=TAGS))


def shown(bucket: Bucket, path: Path) -> dict[str, object]:
    """Return all that programs see of a directory, once its listing was read."""
    path.mkdir()
    with tree_of(CachedBucket(bucket, ttl=60, tag_ttl=60), path) as tree:
        fh = tree.opendir("/d")
        names = [name for name, *_ in tree.readdir(fh)]
        seen = {name: look(tree, f"/d/{name}") for name in names if name not in (".", "..")}
        tree.releasedir(fh)
    return seen


def look(tree: FileSystem, path: str) -> object:
    found = tree.getattr(path)
    fields = ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime")
    xattrs = {name: tree.getxattr(path, name) for name in tree.listxattr(path)}
    target = tree.readlink(path) if stat.S_ISLNK(found["st_mode"]) else ""
    return [found[field] for field in fields], xattrs, target


@pytest.mark.parametrize("listing", ["minio", "yandex"])
def test_a_directory_looks_the_same_however_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    options = [f"listing={listing}", "access=on"]
    with emulator(tmp_path, 1, service="s3", options=options) as server:
        bucket = server.take()
        with closing(server.open(bucket)) as client:
            fill(client)
            log = RequestLog(server.log, bucket)
            rich = shown(client, tmp_path / "rich")
            saved = log.kinds()["HEAD"]
            monkeypatch.setattr(client, "scan", lambda prefix: iter([client.list(prefix)]))
            plain = shown(client, tmp_path / "plain")
            assert rich == plain
            assert len(rich) == len(OBJECTS) + 20
            assert saved < log.kinds()["HEAD"] - saved - 20
