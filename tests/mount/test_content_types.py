"""A new file has the Content-Type of its name; a type that was chosen stays."""

import os
import shutil
from pathlib import Path

import pytest

from tests.mount.conftest import ALL, MountFactory
from tests.mounting import Mounted, run

DEFAULT = {"oss": "application/octet-stream", "obs": "binary/octet-stream"}
DEFAULT["s3"] = DEFAULT["obs"]


@pytest.mark.services("oss", "obs", "s3", "fuse2")
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("index.html", "text/html"),
        ("a.B.PNG", "image/png"),
        ("archive.tar.gz", "application/gzip"),
        ("none", None),
        (".html", None),
        ("what.is-this", None),
    ],
)
def test_new_files(mount: Mounted, tmp_path: Path, name: str, content_type: str | None) -> None:
    wanted = content_type or DEFAULT[mount.kind]
    (mount.path / name).write_bytes(b"x")
    assert mount.judge.head(name).content_type == wanted
    (mount.path / name).unlink()
    (tmp_path / name).write_bytes(b"new")
    run("rsync", "-a", tmp_path / name, mount.path / name)
    assert mount.judge.head(name).content_type == wanted
    os.mknod(mount.path / f"1{name.lstrip('.')}")
    run("cp", "-a", tmp_path / name, mount.path / "copy")
    (mount.path / "copy").rename(mount.path / f"2{name}")
    if not name.startswith("."):
        assert mount.judge.head(f"1{name}").content_type == wanted
        assert mount.judge.head(f"2{name}").content_type == wanted


@ALL
def test_renamed_files(mount: Mounted) -> None:
    """A type that comes from the old name becomes that of the new one; a chosen one stays."""
    for name, kind in [("a.html", ""), ("chosen.html", "text/x-mine"), ("typed", "text/html")]:
        mount.judge.put(name, b"x", content_type=kind)
    (mount.path / "b.html").write_bytes(b"x")
    for old, new, wanted in [
        ("b.html", "c.css", "text/css"),
        ("c.css", "c.css.bak", "text/css"),
        ("a.html", "a.css", "text/css"),
        ("chosen.html", "chosen.css", "text/x-mine"),
        ("typed", "typed.css", "text/html"),
    ]:
        os.listdir(mount.path)
        (mount.path / old).stat()
        log = mount.requests()
        (mount.path / old).rename(mount.path / new)
        kinds = log.kinds()
        assert mount.judge.head(new).content_type == wanted, (old, new)
        assert (kinds["PUT copy"], kinds["DELETE"]) == (1, 1)
        assert kinds["HEAD"] <= 2
    (mount.path / "d").mkdir()
    (mount.path / "d").rename(mount.path / "d.html")
    assert mount.judge.head("d.html/").content_type == "application/x-directory"


@ALL
def test_rename_before_close(mount: Mounted) -> None:
    with (mount.path / "t.txt").open("wb") as file:
        file.write(b"x")
        (mount.path / "t.txt").rename(mount.path / "t.css")
    assert mount.judge.head("t.css").content_type == "text/css"
    with (mount.path / "t.css").open("ab") as file:
        file.write(b"y")
        (mount.path / "t.css").rename(mount.path / "u.html")
    assert mount.judge.head("u.html").content_type == "text/html"


@ALL
def test_switched_off(mount_with: MountFactory) -> None:
    mount = mount_with("content_type=off")
    (mount.path / "a.html").write_bytes(b"x")
    (mount.path / "a.html").rename(mount.path / "b.css")
    assert mount.judge.head("b.css").content_type == DEFAULT[mount.kind]


@ALL
def test_plain_posix(mount_with: MountFactory) -> None:
    """replace_tags=drop: a file renamed over another one comes as it is."""
    mount = mount_with("replace_tags=drop,content_type=off")
    mount.judge.put("f", b"x", {"k": "v"}, {"note": "old"}, content_type="text/x-mine")
    for name in ("g", "f~"):
        (mount.path / name).write_bytes(b"new")
    shutil.move(mount.path / "g", mount.path / "f")
    seen = mount.judge.head("f")
    assert (seen.content_type, seen.meta.get("note")) == (DEFAULT[mount.kind], None)
    assert mount.tags("f") == {}


@ALL
def test_a_type_can_be_set(mount: Mounted) -> None:
    """`user.object.content_type`, of a file that is there and of one that is being written."""
    name = "user.object.content_type"
    mount.judge.put("there.html", b"x", tags={"team": "blue"})
    log = mount.requests()
    os.setxattr(mount.path / "there.html", name, b"text/x-other")
    assert log.kinds()["PUT"] == 0  # content is not sent
    assert mount.judge.head("there.html").content_type == "text/x-other"
    assert mount.judge.tags("there.html") == {"team": "blue"}
    with (mount.path / "new.html").open("wb") as file:
        os.setxattr(mount.path / "new.html", name, b"text/x-other")
        file.write(b"x")
    assert mount.judge.head("new.html").content_type == "text/x-other"
    assert os.getxattr(mount.path / "new.html", name) == b"text/x-other"
    assert os.getxattr(mount.path / "there.html", "user.object.acl")
