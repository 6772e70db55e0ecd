"""`user.xdg.tags`: what a file manager calls tags are the service's."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tagfs.errors import InvalidTag, NoSuchTag, TagExists, TagfsError, TagValueTooLong, TooManyTags
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

LABELS = "user.xdg.tags"

Tree = Callable[[str], FileSystem]


@pytest.fixture
def bucket() -> MemoryBucket:
    one = MemoryBucket()
    one.put("f", BytesSource(b"data"), NewObject(tags=TagSet({"team": "blue", "urgent": ""})))
    return one


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[Tree]:
    with ExitStack() as stack:
        yield lambda choice: stack.enter_context(tree_of(bucket, tmp_path, desktop_tags=choice))


@pytest.mark.parametrize(
    ("choice", "labels", "tags", "read"),
    [
        ("labels", "holiday,family/kids", {"labels": "holiday:family/kids"}, "holiday,family/kids"),
        ("labels", " é b ,,é b,c", {"labels": "é b:c"}, "é b,c"),
        ("keys", "holiday,urgent", {"urgent": "", "holiday": ""}, "urgent,holiday"),
        ("keys", "holiday", {"holiday": ""}, "holiday"),
        ("keys", "team,x", {"x": ""}, "x"),
    ],
)
def test_labels_are_tags(
    tree: Tree, bucket: MemoryBucket, choice: str, labels: str, tags: dict[str, str], read: str
) -> None:
    one = tree(choice)
    one.setxattr("/f", LABELS, labels.encode(), 0)
    others = {"team": "blue", **({"urgent": ""} if choice != "keys" else {})}
    assert bucket.get_tags("f") == {**others, **tags}
    assert one.getxattr("/f", LABELS).decode() == read
    assert one.listxattr("/f").count(LABELS) == 1
    one.removexattr("/f", LABELS)
    assert bucket.get_tags("f") == others
    assert LABELS not in one.listxattr("/f")
    with pytest.raises(NoSuchTag):
        one.getxattr("/f", LABELS)


def test_tags_of_other_clients_are_labels(tree: Tree) -> None:
    assert tree("keys").getxattr("/f", LABELS) == b"urgent"
    assert tree("team").getxattr("/f", LABELS) == b"blue"


FAILURES: list[tuple[str, str, int, type[TagfsError]]] = [
    ("labels", "a:b", 0, InvalidTag),
    ("labels", "a*b", 0, InvalidTag),
    ("labels", "x" * 300, 0, TagValueTooLong),
    ("keys", "a*b", 0, InvalidTag),
    ("keys", ",".join(map(str, range(11))), 0, TooManyTags),
    ("keys", "a", XATTR_CREATE, TagExists),
    ("labels", "a", XATTR_REPLACE, NoSuchTag),
]


@pytest.mark.parametrize(("choice", "labels", "flags", "error"), FAILURES)
def test_what_is_refused_changes_nothing(
    tree: Tree, bucket: MemoryBucket, choice: str, labels: str, flags: int, error: type[TagfsError]
) -> None:
    with pytest.raises(error):
        tree(choice).setxattr("/f", LABELS, labels.encode(), flags)
    assert bucket.get_tags("f") == {"team": "blue", "urgent": ""}


def test_off_it_is_an_attribute_like_any_other(tree: Tree, bucket: MemoryBucket) -> None:
    one = tree("")
    one.setxattr("/f", LABELS, b"a:b,c", 0)
    assert one.getxattr("/f", LABELS) == b"a:b,c"
    assert bucket.get_tags("f") == {"team": "blue", "urgent": ""}


def test_before_the_first_upload_they_travel_with_it(tree: Tree, bucket: MemoryBucket) -> None:
    one = tree("keys")
    fh = one.create("/new", 0o600, 1)
    one.setxattr("/new", LABELS, b"draft", 0)
    one.write(fh, 0, b"x")
    one.flush(fh)
    one.release(fh)
    assert bucket.get_tags("new") == {"draft": ""}
    assert "put_tags" not in {request.operation for request in bucket.requests}
