"""Tags of a bucket that the service keeps to itself: kept by every edit, and not to be set."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagfs.bulk.edits import addition, replacement
from tagfs.errors import InvalidTag
from tagfs.fs.filesystem import FileSystem
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.emulator.s3.client import s3_client, tag_set
from tests.fakes.trees import tree_of

OWN = {"aws:cloudformation:stack-name": "s"}
NAME = "user.tag.aws:cloudformation:stack-name"


@pytest.fixture(scope="module")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A server that lets others set such tags, so that they can be there."""
    options = ["mimic=rgw"]
    with emulator(tmp_path_factory.mktemp("rgw"), 30, service="s3", options=options) as one:
        yield one


class Tagged:
    """A bucket with a tag of the service's, its client and a tree on it."""

    def __init__(self, running: Emulator, client: Client, tree: FileSystem) -> None:
        self.boto: Any = s3_client(running.url)
        self.client, self.tree = client, tree
        self.boto.put_bucket_tagging(Bucket=client.name, Tagging=tag_set({**OWN, "team": "red"}))

    def tags(self) -> dict[str, str]:
        found = self.boto.get_bucket_tagging(Bucket=self.client.name)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}


@pytest.fixture
def tagged(ceph: Emulator, tmp_path: Path) -> Iterator[Tagged]:
    client = ceph.open()
    with tree_of(CachedBucket(client, ttl=60, tag_ttl=60), tmp_path) as tree:
        yield Tagged(ceph, client, tree)


EDITS: dict[str, tuple[Callable[[Tagged], object], dict[str, str]]] = {
    "restored": (lambda one: one.tree.setxattr("/", NAME, b"s", 0), {"team": "red"}),
    "a set": (
        lambda one: one.tree.setxattr("/", "user.tagging", b"team=green", 0),
        {"team": "green"},
    ),
    "a set with it": (
        lambda one: one.tree.setxattr(
            "/", "user.tagging", b"aws%3Acloudformation%3Astack-name=s&a=1", 0
        ),
        {"a": "1"},
    ),
    "all removed": (lambda one: one.tree.removexattr("/", "user.tagging"), {}),
    "one more": (
        lambda one: one.tree.setxattr("/", "user.tag.a", b"1", 0),
        {"team": "red", "a": "1"},
    ),
    "replaced in bulk": (
        lambda one: one.client.update_bucket_tags(replacement(TagSet({"a": "1"})).change),
        {"a": "1"},
    ),
    "added in bulk": (
        lambda one: one.client.update_bucket_tags(addition(TagSet({"a": "1"})).change),
        {"team": "red", "a": "1"},
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_every_edit_keeps_it(tagged: Tagged, case: str) -> None:
    edit, left = EDITS[case]
    edit(tagged)
    assert tagged.tags() == {**OWN, **left}


REFUSED: dict[str, Callable[[Tagged], object]] = {
    "another value": lambda one: one.tree.setxattr("/", NAME, b"t", 0),
    "another one": lambda one: one.tree.setxattr("/", "user.tag.aws:x", b"1", 0),
    "a set": lambda one: one.tree.setxattr("/", "user.tagging", b"aws%3Ax=1", 0),
    "removed": lambda one: one.tree.removexattr("/", NAME),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_not_to_be_set(tagged: Tagged, case: str) -> None:
    with pytest.raises(InvalidTag):
        REFUSED[case](tagged)
    assert tagged.tags() == {**OWN, "team": "red"}
