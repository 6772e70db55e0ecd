"""What file tools make of tags, as they are installed: both ways, judged by the vendor's SDK."""

import os
from pathlib import Path

import oss2
import pytest

from tests.mount.conftest import ALL
from tests.mounting import Mounted, getfattr, run


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A directory on a local file system that keeps user.* attributes."""
    path = tmp_path / "local"
    path.mkdir()
    try:
        os.setxattr(path, "user.probe", b"1")
    except OSError:
        pytest.skip("no user.* attributes on the local file system")
    os.removexattr(path, "user.probe")
    return path


def make_tree(root: Path) -> None:
    """Make files, a directory and a link, tagged with names that a bucket keeps."""
    (root / "sub dir").mkdir()
    for name, tags in {
        "a": {"team": "blue"},
        "sub dir/b": {"team": "green", "retention": "7y"},
        "sub dir/ü 中": {"部门": "市场"},
        "untagged": {},
    }.items():
        (root / name).write_bytes(name.encode())
        for key, value in tags.items():
            os.setxattr(root / name, f"user.tag.{key}", value.encode())
    os.setxattr(root / "sub dir", "user.tag.kind", b"directory")
    (root / "link").symlink_to("sub dir/b")


EXPECTED = {
    "a": {"team": "blue"},
    "sub dir/": {"kind": "directory"},
    "sub dir/b": {"team": "green", "retention": "7y"},
    "sub dir/ü 中": {"部门": "市场"},
    "untagged": {},
}


def assert_on_service(mount: Mounted, prefix: str) -> None:
    for key, tags in EXPECTED.items():
        assert mount.tags(prefix + key) == tags, key
        if not key.endswith("/"):
            assert mount.content(prefix + key) == key.encode()
    if mount.has("symlinks"):
        assert mount.judge.get_symlink(prefix + "link") == prefix + "sub dir/b"
    else:
        assert mount.content(prefix + "link") == b"sub dir/b"


def assert_local(root: Path) -> None:
    for key, tags in EXPECTED.items():
        found = {n: v for n, v in getfattr(root / key).items() if n.startswith("user.tag.")}
        assert found == {f"user.tag.{k}": v for k, v in tags.items()}
    assert os.readlink(root / "link") == "sub dir/b"


@ALL
def test_setfattr_and_getfattr(mount: Mounted) -> None:
    file = mount.path / "f"
    file.write_bytes(b"x")
    run("setfattr", "-n", "user.tag.team", "-v", "blue", file)
    run("setfattr", "-n", "user.tag.note", "-v", "0x61", file)
    run("setfattr", "-n", "user.tag.more", "-v", "0sYg==", file)
    assert mount.tags("f") == {"team": "blue", "note": "a", "more": "b"}
    assert run("getfattr", "--only-values", "-n", "user.tag.team", file) == "blue"
    run("setfattr", "-x", "user.tag.note", file)
    assert mount.tags("f") == {"team": "blue", "more": "b"}


def test_attr_1(mount: Mounted) -> None:
    file = mount.path / "f"
    file.write_bytes(b"x")
    run("attr", "-s", "tag.team", "-V", "blue", file)
    assert mount.tags("f") == {"team": "blue"}
    assert "blue" in run("attr", "-g", "tag.team", file)
    assert "tag.team" in run("attr", "-l", file)
    run("attr", "-r", "tag.team", file)
    assert mount.tags("f") == {}


@ALL
def test_a_dump_and_its_restore(mount: Mounted, tmp_path: Path) -> None:
    make_tree(mount.path)
    dump = tmp_path / "dump"
    dump.write_text(run("getfattr", "-R", "-d", ".", cwd=mount.path))
    for key in EXPECTED:
        mount.judge.delete_tags(key)
    os.setxattr(mount.path, "user.tagfs.refresh", b"")
    run("setfattr", f"--restore={dump}", cwd=mount.path)
    assert_on_service(mount, "")


@ALL
def test_cp_a_in_and_out(mount: Mounted, local: Path, tmp_path: Path) -> None:
    make_tree(local)
    run("cp", "-a", local, mount.path / "in")
    assert_on_service(mount, "in/")
    run("cp", "-a", mount.path / "in", mount.path / "again")
    assert_on_service(mount, "again/")
    run("cp", "-a", mount.path / "in", tmp_path / "out")
    assert_local(tmp_path / "out")


def test_mv_between_file_systems(mount: Mounted, local: Path, tmp_path: Path) -> None:
    make_tree(local)
    run("mv", local, mount.path / "in")
    assert not local.exists()
    assert_on_service(mount, "in/")
    run("mv", mount.path / "in", tmp_path / "out")
    assert_local(tmp_path / "out")
    assert mount.keys() == []


@ALL
def test_rsync_both_ways_and_twice(mount: Mounted, local: Path, tmp_path: Path) -> None:
    make_tree(local)
    run("rsync", "-aX", f"{local}/", f"{mount.path}/in/")
    assert_on_service(mount, "in/")
    assert run("rsync", "-aXi", f"{local}/", f"{mount.path}/in/") == ""
    out = tmp_path / "out"
    run("rsync", "-aX", f"{mount.path}/in/", f"{out}/")
    assert_local(out)
    assert run("rsync", "-aXi", f"{mount.path}/in/", f"{out}/") == ""


def test_tar_out_and_in(mount: Mounted, local: Path, tmp_path: Path) -> None:
    make_tree(local)
    archive = tmp_path / "tree.tar"
    run("tar", "--xattrs", "-cf", archive, "-C", local, ".")
    (mount.path / "in").mkdir()
    run("tar", "--xattrs", "--xattrs-include=user.*", "-xf", archive, "-C", mount.path / "in")
    assert_on_service(mount, "in/")
    run("tar", "--xattrs", "-cf", archive, "-C", mount.path / "in", ".")
    out = tmp_path / "out"
    out.mkdir()
    run("tar", "--xattrs", "--xattrs-include=user.*", "-xf", archive, "-C", out)
    assert_local(out)


def test_find_with_getfattr(mount: Mounted) -> None:
    make_tree(mount.path)
    shown = run("find", mount.path, "-type", "f", "-exec", "getfattr", "-d", "{}", "+")
    assert shown.count("user.tag.") == 4
    assert run("find", mount.path, "-type", "l").strip() == str(mount.path / "link")


@ALL
def test_ls_l_asks_for_nothing_more(mount: Mounted) -> None:
    make_tree(mount.path)
    run("ls", "-l", mount.path)
    log = mount.requests()
    shown = run("ls", "-lZ", mount.path)
    assert "link -> sub dir/b" in shown
    assert len(log) == 0


def test_removing_a_tree(mount: Mounted) -> None:
    make_tree(mount.path)
    run("rm", "-r", mount.path / "sub dir", mount.path / "a", mount.path / "link")
    assert mount.keys() == ["untagged"]


@ALL
def test_what_the_sdk_tags_is_seen(mount: Mounted) -> None:
    """Every scenario of the manuals: put, multipart, append, tagging of an existing object, copy
    with COPY and REPLACE, symlink."""
    judge, tags = mount.judge, {"k1": "v1", "k2": "v2"}
    names = ["put", "multipart", "tagged", "copied", "replaced"]
    judge.put("put", b"x", tags)
    judge.upload("multipart", [b"a" * 102400, b"b"], tags)
    judge.put("tagged", b"x")
    judge.set_tags("tagged", tags)
    judge.copy("put", "copied")
    judge.put("other", b"x", {"k": "other"})
    judge.copy("other", "replaced", tags)
    if mount.has("append"):
        judge.append("append", 0, b"x", tags)
        names.append("append")
    if mount.has("symlinks"):
        judge.put_symlink("link", "put", tags)
        shown = {"tag.k1": "v1", "tag.k2": "v2"}
        assert getfattr(mount.path / "link", link=True) == shown
    for name in names:
        assert getfattr(mount.path / name) == {f"user.tag.{k}": v for k, v in tags.items()}, name


@pytest.mark.services("oss")
def test_what_the_manual_of_oss_does_in_parts(mount: Mounted, tmp_path: Path) -> None:
    """More scenarios of the SDK's manual: resumable upload, copy by parts."""
    sdk, big = mount.sdk, tmp_path / "big"
    big.write_bytes(os.urandom(300 * 1024))
    header = {"x-oss-tagging": "k1=v1&k2=v2"}
    oss2.resumable_upload(
        sdk,
        "resumable",
        str(big),
        headers=header,
        multipart_threshold=102400,
        part_size=102400,
        store=oss2.ResumableStore(root=str(tmp_path)),
    )
    upload = sdk.init_multipart_upload("big copy", headers=header).upload_id
    part = sdk.upload_part_copy(mount.bucket, "resumable", (0, 102399), "big copy", upload, 1)
    sdk.complete_multipart_upload("big copy", upload, [oss2.models.PartInfo(1, part.etag)])
    for name in ("resumable", "big copy"):
        assert getfattr(mount.path / name) == {"user.tag.k1": "v1", "user.tag.k2": "v2"}
    assert (mount.path / "resumable").read_bytes() == big.read_bytes()


@ALL
def test_what_the_mount_tags_the_sdk_sees(mount: Mounted) -> None:
    """The same scenarios made through the mount."""
    path, tags = mount.path, {"k1": "v1", "k2": "v2"}

    def tag(target: Path, *, link: bool = False) -> None:
        prefix = "tag." if link else "user.tag."
        for key, value in tags.items():
            os.setxattr(target, prefix + key, value.encode(), follow_symlinks=not link)

    with (path / "put").open("wb") as file:
        file.write(b"x")
        tag(path / "put")
    with (path / "multipart").open("wb") as file:
        for _ in range(40):
            file.write(bytes(1024**2))
        tag(path / "multipart")
    if mount.has("append"):
        mount.judge.append("append", 0, b"x")
    else:
        mount.judge.put("append", b"x")
    tag(path / "append")
    run("sh", "-c", "echo more >> append", cwd=path)
    run("cp", "--preserve=xattr", path / "put", path / "copied")
    run("cp", "--preserve=xattr", path / "multipart", path / "big copy")
    (path / "link").symlink_to("put")
    tag(path / "link", link=True)
    (path / "multipart").rename(path / "moved")
    for key in ("put", "append", "copied", "big copy", "link", "moved"):
        assert mount.tags(key) == tags, key
    if mount.has("append"):
        assert mount.judge.head("append").type == "Appendable"
    assert mount.judge.head("moved").size == 40 * 1024**2
