"""Storage class, encryption and ACL, set by an attribute; judged by the vendors' SDKs."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagfs.errors import InvalidRequest, NotPermitted, TagExists, Unsupported
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.xattr_names import XATTR_CREATE
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.http.messages import Attempt
from tests.emulated import Emulator, emulator
from tests.fakes.trees import tree_of
from tests.judges import Judge, judge_of
from tests.properties import ACL, EVERYONE, KEY_ID, PREFIX, Properties, everything

CLASSES = {
    "oss": ("IA", "Standard"),
    "obs": ("WARM", "STANDARD"),
    "s3": ("STANDARD_IA", "STANDARD"),
}
ARCHIVES = {"oss": "Archive", "obs": "COLD", "s3": "GLACIER"}
METHODS = {"oss": ("AES256", "KMS"), "obs": ("AES256", "kms"), "s3": ("AES256", "aws:kms")}
TAGS = {"team": "blue"}


@dataclass
class Judged:
    kind: str
    judge: Judge
    bucket: str


@dataclass
class Tree:
    kind: str
    fs: FileSystem
    sdk: Properties
    judge: Judge
    attempts: list[Attempt]

    def put(self, key: str, headers: dict[str, str]) -> None:
        self.sdk.put(key, b"content", headers)
        self.judge.set_tags(key, TAGS)

    def set(self, path: str, field: str, value: str, flags: int = 0) -> None:
        self.fs.setxattr(path, f"user.object.{field}", value.encode(), flags)

    def get(self, path: str, field: str) -> str:
        return self.fs.getxattr(path, f"user.object.{field}").decode()

    def header(self, key: str, name: str) -> str:
        return self.sdk.seen(key).get(PREFIX[self.kind] + name, "")

    def is_kept(self, key: str, headers: dict[str, str]) -> None:
        """Check that all else is as it was made."""
        assert self.sdk.lost(key, headers) == {}
        assert (self.judge.get(key), self.judge.tags(key)) == (b"content", TAGS)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator(tmp_path_factory.mktemp(name), 30, service=name))
            for name in CLASSES
        }


@pytest.fixture(params=CLASSES)
def tree(
    services: dict[str, Emulator], request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Tree]:
    running = services[request.param]
    attempts: list[Attempt] = []
    client = running.open(observer=attempts.append, acl="keep")
    judge = judge_of(running.service, running.url, client.name)
    with (
        closing(client),
        tree_of(CachedBucket(client, ttl=60, tag_ttl=60), tmp_path) as fs,
    ):
        sdk = Properties(Judged(running.service, judge, client.name))
        yield Tree(running.service, fs, sdk, judge, attempts)


def without(headers: dict[str, str], word: str) -> dict[str, str]:
    return {name: text for name, text in headers.items() if word not in name}


def test_a_storage_class_is_set_and_all_else_kept(tree: Tree) -> None:
    headers = {**everything(tree.kind), ACL[tree.kind]: "public-read"}
    tree.put("f", headers)
    kept = without(without(headers, "storage-class"), "acl")
    for name in reversed(CLASSES[tree.kind]):
        tree.set("/f", "storage_class", name)
        assert tree.get("/f", "storage_class") == name
        shown = tree.header("f", "storage-class")
        assert shown == name or (not shown and name.upper() == "STANDARD")
        tree.is_kept("f", kept)
        assert tree.sdk.acl("f") in ("public-read", [(EVERYONE, "READ")], [("Everyone", "READ")])
    before = len(tree.attempts)
    tree.set("/f", "storage_class", name)
    assert {attempt.method for attempt in tree.attempts[before:]} <= {"HEAD"}
    tree.set("/f", "storage_class", ARCHIVES[tree.kind])
    assert tree.header("f", "storage-class") == ARCHIVES[tree.kind]
    assert tree.get("/f", "storage_class") == ARCHIVES[tree.kind]
    assert tree.get("/f", "restore") == "archived"
    assert tree.judge.tags("f") == TAGS


def test_an_encryption_is_set_and_all_else_kept(tree: Tree) -> None:
    headers = without(everything(tree.kind), "encryption")
    tree.put("f", headers)
    usual, method = METHODS[tree.kind]
    key_name = {"oss": "key-id", "obs": "kms-key-id", "s3": "aws-kms-key-id"}[tree.kind]
    for text in (f"{method} {KEY_ID[tree.kind]}", usual, method):
        tree.set("/f", "encryption", text)
        assert tree.get("/f", "encryption").startswith(text)
        word, _, key = text.partition(" ")
        assert tree.header("f", "server-side-encryption") == word
        if key:
            assert tree.header("f", f"server-side-encryption-{key_name}") == key
        tree.is_kept("f", headers)


def test_an_acl_is_set(tree: Tree) -> None:
    headers = everything(tree.kind)
    tree.put("f", headers)
    modified = tree.judge.head("f").modified
    tree.set("/f", "acl", "public-read")
    assert tree.get("/f", "acl") == "public-read"
    assert tree.sdk.acl("f") in ("public-read", [(EVERYONE, "READ")], [("Everyone", "READ")])
    assert tree.judge.head("f").modified == modified
    tree.is_kept("f", headers)
    tree.fs.chmod("/f", 0o600)  # a rewrite keeps it
    assert tree.get("/f", "acl") == "public-read"
    tree.fs.removexattr("/f", "user.object.acl")
    assert tree.get("/f", "acl") == "default"
    assert tree.sdk.acl("f") in ("default", [])


def test_of_a_new_file_they_travel_with_it(tree: Tree) -> None:
    fh = tree.fs.create("/new", 0o644, os.O_WRONLY)
    tree.set("/new", "storage_class", CLASSES[tree.kind][0])
    tree.set("/new", "acl", "public-read")
    tree.fs.write(fh, 0, b"content")
    before = len(tree.attempts)
    tree.fs.flush(fh)
    tree.fs.release(fh)
    assert [attempt.operation for attempt in tree.attempts[before:]] == ["PutObject"]
    assert tree.header("new", "storage-class") == CLASSES[tree.kind][0]
    assert tree.sdk.acl("new") in ("public-read", [(EVERYONE, "READ")], [("Everyone", "READ")])


def test_what_is_refused_changes_nothing(tree: Tree) -> None:
    headers = {**everything(tree.kind), ACL[tree.kind]: "private"}
    tree.put("f", headers)
    seen = tree.sdk.seen("f")
    for field in ("storage_class", "encryption", "acl"):
        for value in ("none-such", "", " x", "ü"):
            with pytest.raises(InvalidRequest):
                tree.set("/f", field, value)
        with pytest.raises(TagExists):
            tree.set("/f", field, "x", XATTR_CREATE)
    for field in ("storage_class", "encryption", "etag"):
        with pytest.raises(NotPermitted):
            tree.fs.removexattr("/f", f"user.object.{field}")
    with pytest.raises(NotPermitted):
        tree.set("/", "storage_class", CLASSES[tree.kind][0])
    for name in ("date", "x-oss-request-id", "x-oss-server-time", "x-obs-request-id"):
        seen.pop(name, None)
    tree.is_kept("f", {k: v for k, v in seen.items() if "id" not in k.split("-")})


@pytest.mark.parametrize("option", ["acls=off", "subresources=ignored"])
def test_a_service_without_acls_says_so_and_keeps_the_content(tmp_path: Path, option: str) -> None:
    with emulator(tmp_path / "data", 1, service="s3", options=(option,)) as running:
        client = running.open(acl="keep")
        judge = judge_of("s3", running.url, client.name)
        judge.put("f", b"content")
        with (
            closing(client),
            tree_of(CachedBucket(client, ttl=60, tag_ttl=60), tmp_path) as fs,
            pytest.raises(Unsupported),
        ):
            fs.setxattr("/f", "user.object.acl", b"public-read", 0)
        assert judge.get("f") == b"content"
