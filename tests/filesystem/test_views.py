"""Views in a file system over a bucket in memory: directories of links, by what tags are known."""

import os
import posixpath
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tagfs.catalogue.catalogue import Catalogue
from tagfs.errors import AlreadyExists, NoSuchTag, NotADirectory, NotFound, ReadOnly, TagfsError
from tagfs.fs.view_filesystem import ViewFileSystem
from tagfs.fs.views.view_directory import AGE, ViewDirectory
from tagfs.fs.views.view_paths import encode, link_text, unique_names
from tagfs.fs.views.views import TagLook, Views
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.unit.catalogue.cataloguekit import Time, opened

OBJECTS = {
    "report.pdf": {"team": "blue"},
    "d/report.pdf": {"team": "blue", "retention": "7y"},
    "d/other.txt": {"team": "red", "a/b": "1/2 %"},
    "d/e/": {"team": "blue"},
    "plain": {},
}


@contextmanager
def viewing(
    catalogue: Catalogue, bucket: MemoryBucket, staging: Path, name: str = ".tagfs", **choices
) -> Iterator[ViewFileSystem]:
    with ThreadPoolExecutor(4) as executor:
        env = environment_of(bucket, staging, executor, **choices)
        look = TagLook(name=name, directory=env.default_directory())
        views = Views(catalogue, env.root, look, env.clock)
        shown = ViewDirectory(name, env.default_directory(), views)
        filesystem = ViewFileSystem(env, dict, shown, listed=name != ".tagfs")
        yield filesystem
        filesystem.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def catalogue(tmp_path: Path, time: Time) -> Iterator[Catalogue]:
    found = opened(tmp_path / "cache", time)
    for key, tags in OBJECTS.items():
        found.saw_tags(key, TagSet(tags))
    yield found
    found.close()


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    for key in OBJECTS:
        bucket.put(key, BytesSource(b"x"), NewObject(tags=NO_TAGS))
    bucket.requests.clear()
    return bucket


@pytest.fixture
def tree(catalogue: Catalogue, bucket: MemoryBucket, tmp_path: Path) -> Iterator[ViewFileSystem]:
    with viewing(catalogue, bucket, tmp_path) as filesystem:
        yield filesystem


def names(tree: ViewFileSystem, path: str) -> list[str]:
    fh = tree.opendir(path)
    try:
        return sorted(name for name, *_ in tree.readdir(fh))[2:]
    finally:
        tree.releasedir(fh)


def links(tree: ViewFileSystem, path: str) -> set[str]:
    """Where the links of a directory lead to, as the kernel follows them."""
    found = set()
    for name in names(tree, path):
        place = posixpath.join(path, name)
        shown = tree.getattr(place)
        if stat.S_ISLNK(shown["st_mode"]):
            text = tree.readlink(place)
            assert shown["st_size"] == len(text)
            found.add(posixpath.normpath(posixpath.join(path, text)))
    return found


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("tag/team", {"/report.pdf", "/d/report.pdf", "/d/other.txt", "/d/e"}),
        ("tag/team/=blue", {"/report.pdf", "/d/report.pdf", "/d/e"}),
        ("tag/a%2Fb/=1%2F2 %25", {"/d/other.txt"}),
        ("untagged", {"/plain"}),
        ("query/team=blue and not retention", {"/report.pdf", "/d/e"}),
        ("query/team=none", set()),
    ],
)
def test_views_show_what_matches_without_a_request(
    tree: ViewFileSystem, bucket: MemoryBucket, path: str, wanted: set[str]
) -> None:
    assert links(tree, f"/.tagfs/{path}") == wanted
    # One look, once: whether the bucket has something of the name of the views.
    assert bucket.count() <= 1


def test_directories_are_the_words_in_use(tree: ViewFileSystem) -> None:
    assert names(tree, "/.tagfs") == ["query", "tag", "untagged"]
    assert names(tree, "/.tagfs/tag") == ["a%2Fb", "retention", "team"]
    assert [n for n in names(tree, "/.tagfs/tag/team") if n[0] == "="] == ["=blue", "=red"]
    assert ".tagfs" not in names(tree, "/")
    for path in ("", "/tag", "/tag/team", "/tag/team/=blue", "/untagged", "/query"):
        assert stat.S_ISDIR(tree.getattr(f"/.tagfs{path}")["st_mode"])


@pytest.mark.parametrize(
    "path",
    ["x", "tag/none", "tag/team/=none", "tag/team/=blue/none", "tag/team/=blue/plain/x",
     "untagged/none", "query/team and", "query/.hidden", "query/team/none", "query/k~(a+)+x"],
)  # fmt: skip
def test_what_is_not_there(tree: ViewFileSystem, path: str) -> None:
    with pytest.raises(NotFound):
        tree.getattr(f"/.tagfs/{path}")
    fh = tree.opendir(f"/.tagfs/{path}")
    with pytest.raises(NotFound):
        list(tree.readdir(fh))


def test_a_link_is_no_directory(tree: ViewFileSystem) -> None:
    with pytest.raises(NotADirectory):
        list(tree.readdir(tree.opendir("/.tagfs/untagged/plain")))


def test_queries_can_be_kept(
    tree: ViewFileSystem, catalogue: Catalogue, bucket: MemoryBucket, tmp_path: Path
) -> None:
    tree.mkdir("/.tagfs/query/team=red", 0o755)
    with pytest.raises(AlreadyExists):
        tree.mkdir("/.tagfs/query/team=red", 0o755)
    with pytest.raises(NotFound):
        tree.mkdir("/.tagfs/query/team and", 0o755)
    with viewing(catalogue, bucket, tmp_path) as later:
        assert names(later, "/.tagfs/query") == ["team=red"]
        assert links(later, "/.tagfs/query/team=red") == {"/d/other.txt"}
        later.rmdir("/.tagfs/query/team=red")
        assert names(later, "/.tagfs/query") == []
        with pytest.raises(NotFound):
            later.rmdir("/.tagfs/query/team=red")


CHANGES = {
    "mkdir": lambda t, p: t.mkdir(p, 0o755),
    "rmdir": lambda t, p: t.rmdir(p),
    "open": lambda t, p: t.open(p, os.O_RDWR),
    "create": lambda t, p: t.create(p, 0o644, os.O_WRONLY),
    "truncate": lambda t, p: t.truncate(p, 0),
    "mknod": lambda t, p: t.mknod(p, stat.S_IFREG, 0),
    "unlink": lambda t, p: t.unlink(p),
    "rename": lambda t, p: t.rename(p, "/x"),
    "rename to": lambda t, p: t.rename("/plain", p),
    "symlink": lambda t, p: t.symlink(p, "x"),
    "chmod": lambda t, p: t.chmod(p, 0o600),
    "chown": lambda t, p: t.chown(p, 1, 1),
    "utimens": lambda t, p: t.utimens(p, 1, 1),
    "setxattr": lambda t, p: t.setxattr(p, "user.tag.x", b"1", 0),
    "removexattr": lambda t, p: t.removexattr(p, "user.tag.team"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("path", ["", "/tag/team", "/untagged/plain", "/new"])
def test_nothing_else_can_be_changed(
    tree: ViewFileSystem, bucket: MemoryBucket, change: str, path: str
) -> None:
    before = {info.key for info in bucket.list("", delimiter="").objects}
    expected = AlreadyExists if (change, path) == ("mkdir", "") else ReadOnly
    with pytest.raises(expected):
        CHANGES[change](tree, f"/.tagfs{path}")
    assert {info.key for info in bucket.list("", delimiter="").objects} == before


def test_attributes_of_views(tree: ViewFileSystem, catalogue: Catalogue, time: Time) -> None:
    with pytest.raises(NoSuchTag):
        tree.getxattr("/.tagfs", AGE)
    catalogue.end_scan("", catalogue.begin_scan(""))
    time.pass_time(90)
    assert tree.getxattr("/.tagfs", AGE) == b"90"
    assert tree.listxattr("/.tagfs/untagged/plain") == []
    tree.access("/.tagfs/untagged/plain", os.R_OK)
    assert tree.getattr_known(tree.opendir("/.tagfs/untagged"), ["plain"]) == [None]
    tree.fsyncdir(tree.opendir("/.tagfs"))


@pytest.mark.parametrize("key", [".tagfs", ".tagfs/", ".tagfs/x"])
def test_an_object_of_that_name_is_shown_as_it_is(
    tree: ViewFileSystem, bucket: MemoryBucket, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put(key, BytesSource(b""), NewObject(tags=NO_TAGS))
    assert ".tagfs" in names(tree, "/")
    is_directory = stat.S_ISDIR(tree.getattr("/.tagfs")["st_mode"])
    assert is_directory is (key != ".tagfs")
    with pytest.raises(NotFound):
        tree.getattr("/.tagfs/tag")
    assert caplog.text.count("is a name in the bucket: no views") == 1
    caplog.clear()


def test_a_chosen_name_is_listed(
    catalogue: Catalogue, bucket: MemoryBucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with viewing(catalogue, bucket, tmp_path, "Tags") as tree:
        assert "Tags" in names(tree, "/")
        assert "Tags" not in names(tree, "/d")
        assert links(tree, "/Tags/untagged") == {"/plain"}
        with pytest.raises(NotFound):
            tree.getattr("/Tags2")
    bucket.put("Tags/own", BytesSource(b""), NewObject(tags=NO_TAGS))
    with viewing(catalogue, bucket, tmp_path, "Tags") as tree:
        assert names(tree, "/").count("Tags") == 1
        assert names(tree, "/Tags") == ["own"]
    assert "no views" in caplog.text
    caplog.clear()


def test_names_stay_apart_and_say_what_they_are() -> None:
    paths = ["/a/x.txt", "/b/x.txt", "/y", "/=z", "/"]
    found = unique_names(paths)
    assert sorted(found.values()) == sorted(paths)
    assert found["y"] == "/y"
    both = sorted(name for name in found if name.startswith("x."))
    assert len(both) == 2
    assert all(name.endswith(".txt") for name in both)
    assert not any(name.startswith("=") for name in found)
    assert unique_names(["/a/x.txt", "/b/x.txt"]).keys() == set(both), "whatever is beside them"


@pytest.mark.parametrize(
    "name", ["a." + "e" * 253, "." + "e" * 254, "\u4e16" * 85, "=" + "x" * 254, "b" * 251 + ".txt"]
)
def test_the_longest_names_stay_apart(name: str) -> None:
    found = unique_names([f"/a/{name}", f"/b/{name}"])
    assert len(found) == 2
    assert all(len(each.encode()) <= 255 and not each.startswith("=") for each in found)


part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
paths = st.lists(part, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(paths.filter(lambda p: not {".", ".."} & set(p.split("/"))), unique=True))
def test_every_path_has_one_name(found: list[str]) -> None:
    names = unique_names(found)
    assert sorted(names.values()) == sorted(found)
    for path in found:
        text = link_text(("v", "tag", "k"), path)
        assert posixpath.normpath("/v/tag/k/" + text) == posixpath.normpath(path)


@given(st.text(max_size=20))
def test_words_are_one_component(text: str) -> None:
    name = encode(text)
    assert name is None or ("/" not in name and name not in ("", ".", ".."))


@pytest.mark.slow
def test_a_thousand_of_many_are_found_in_seconds(tmp_path: Path, bucket: MemoryBucket) -> None:
    """100,000 objects of which 1,000 match: no request, and less than a walk would begin with."""
    catalogue = opened(tmp_path / "cache")
    for number in range(100_000):
        team = "blue" if number % 100 == 0 else f"t{number % 37}"
        catalogue.saw_tags(f"d{number % 100}/{number:06}", TagSet({"team": team}))
    catalogue.flush()
    with viewing(catalogue, bucket, tmp_path) as tree:
        directory = "/.tagfs/query/team=blue and not retention"
        found = names(tree, directory)
        assert len(found) == 1000
        assert all(tree.readlink(f"{directory}/{name}") for name in found)
    assert bucket.count() <= 1
    catalogue.close()


def test_a_bucket_that_cannot_be_asked_is_an_error_once(
    tree: ViewFileSystem, bucket: MemoryBucket
) -> None:
    def fail(*_: object) -> None:
        raise TagfsError("no answer")

    bucket.before = fail
    with pytest.raises(TagfsError):
        tree.getattr("/.tagfs")
    bucket.before = None
    assert stat.S_ISDIR(tree.getattr("/.tagfs")["st_mode"])
