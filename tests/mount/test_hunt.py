"""Sequences of ordinary calls that once lost something, and the promises that they broke."""

import ctypes
import errno
import mmap
import os
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import oss2
import pytest
import requests

from tests.emulated import Emulator
from tests.mount.conftest import Faults, MountFactory
from tests.mounting import Mounted, getfattr, run, wait_for
from tests.waiting import FAR, until_stale

PART = 100 * 1024


def put_tags(mount: Mounted, key: str, **tags: str) -> None:
    rule = oss2.models.TaggingRule()
    for name, value in tags.items():
        rule.add(name, value)
    mount.sdk.put_object_tagging(key, oss2.models.Tagging(rule))


T = TypeVar("T")


def unless_stale(action: Callable[[], T]) -> T | None:
    try:
        return action()
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        return None


def meta(mount: Mounted, key: str) -> dict[str, str]:
    headers = mount.sdk.head_object(key).headers
    return {k[11:].lower(): v for k, v in headers.items() if k.lower().startswith("x-oss-meta-")}


@pytest.mark.parametrize("flags", [os.O_APPEND, 0])
def test_a_name_believed_free_keeps_what_another_host_put_there(mount: Mounted, flags: int) -> None:
    """Only O_TRUNC means to replace: >> and touch do not, however old the last look is."""
    assert os.listdir(mount.path) == []
    assert not (mount.path / "f").exists()
    until_stale()
    mount.sdk.put_object("f", b"one\n")
    put_tags(mount, "f", team="blue")
    fd = os.open(mount.path / "f", os.O_WRONLY | os.O_CREAT | flags, 0o600)
    os.write(fd, b"two\n" if flags else b"O")
    os.close(fd)
    assert mount.content("f") == (b"one\ntwo\n" if flags else b"One\n")
    assert mount.tags("f") == {"team": "blue"}


def test_mode_set_while_appending(mount: Mounted) -> None:
    """D8: mode and metadata that a tool sets are kept, though AppendObject carries none."""
    mount.sdk.append_object("log", 0, b"one\n")
    with (mount.path / "log").open("ab") as file:
        file.write(b"two\n")
        file.flush()
        os.fchmod(file.fileno(), 0o640)
        os.setxattr(file.fileno(), "user.meta.color", b"blue")
    assert mount.content("log") == b"one\ntwo\n"
    m = meta(mount, "log")
    assert m.get("color") == "blue", m
    assert int(m["mode"]) & 0o777 == 0o640


def test_tags_set_elsewhere_while_streaming(mount_with: MountFactory) -> None:
    """G4: tags survive a multipart upload, those that an SDK sets during it as well."""
    mount = mount_with(f"part_size={PART}")
    mount.sdk.put_object("big", b"old", headers={"x-oss-tagging": "a=1"})
    with (mount.path / "big").open("wb") as file:
        for _ in range(5):
            file.write(b"x" * PART)
        file.flush()
        put_tags(mount, "big", a="1", b="2")
        until_stale()
        file.write(b"x" * PART)
    assert mount.tags("big") == {"a": "1", "b": "2"}


def test_metadata_set_while_a_large_file_is_read(mount: Mounted) -> None:
    """D3: an open file reads one version; an edit of its metadata makes no other."""
    data = os.urandom(6 * 1024**2)
    upload = mount.sdk.init_multipart_upload("big").upload_id
    parts = []
    for n in range(3):
        piece = data[n * 2 * 1024**2 : (n + 1) * 2 * 1024**2]
        etag = mount.sdk.upload_part("big", upload, n + 1, piece).etag
        parts.append(oss2.models.PartInfo(n + 1, etag))
    mount.sdk.complete_multipart_upload("big", upload, parts)
    with (mount.path / "big").open("rb", buffering=0) as file:
        assert file.read(1000) == data[:1000]
        os.setxattr(mount.path / "big", "user.meta.color", b"blue")
        file.seek(5 * 1024**2)
        assert file.read(1000) == data[5 * 1024**2 :][:1000]


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_mapping_a_file_that_just_grew(mount: Mounted, flags: int) -> None:
    """D4: every pattern works: a file that was looked at, appended to and mapped in one second."""
    path = mount.path / "f"
    path.write_bytes(b"one\n")
    assert path.stat().st_size == 4
    with path.open("ab") as file:
        file.write(b"two\n")
    fd = os.open(path, flags)
    with mmap.mmap(fd, 8, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == b"one\ntwo\n"
    os.close(fd)


def test_leftover_names_of_libfuse(mount: Mounted) -> None:
    """T1: a key that a crashed s3fs or ossfs left is a file: it can be looked at and removed."""
    mount.sdk.put_object("d/.fuse_hidden0000000100000002", b"x")
    mount.sdk.put_object("d/f", b"x")
    names = os.listdir(mount.path / "d")
    for name in names:
        (mount.path / "d" / name).stat()
    run("rm", "-r", mount.path / "d")
    assert not [k for k in sorted(mount.keys()) if k.startswith("d")]


def test_link_tagged_elsewhere_is_moved(mount: Mounted) -> None:
    """G4: tags follow mv, not those of a minute ago."""
    os.symlink("target", mount.path / "link")
    os.mkdir(mount.path / "sub")
    assert getfattr(mount.path / "link", link=True) == {}
    until_stale()
    put_tags(mount, "link", k="v")
    os.rename(mount.path / "link", mount.path / "sub" / "link")
    assert mount.tags("sub/link") == {"k": "v"}


def test_link_changed_elsewhere_is_moved_with_its_directory(mount: Mounted) -> None:
    """L2, G4: what moves is the link as it is now, not as it was when it was looked at."""
    os.mkdir(mount.path / "d")
    os.mkdir(mount.path / "e")
    os.symlink("target", mount.path / "d/link")
    assert os.readlink(mount.path / "d/link") == "target"
    assert getfattr(mount.path / "d/link", link=True) == {}
    until_stale()
    mount.sdk.put_symlink("d/other", "d/link")
    put_tags(mount, "d/link", k="v")
    os.rename(mount.path / "d", mount.path / "e/d")
    mount.forget_in_kernel()
    assert mount.tags("e/d/link") == {"k": "v"}
    assert os.readlink(mount.path / "e/d/link") == "other"


def test_mapped_pages_with_a_reader_open(mount: Mounted) -> None:
    """D4: pages of a shared mapping are uploaded though another process reads the file."""
    path = mount.path / "f"
    path.write_bytes(b"a" * 4096)
    libc = ctypes.CDLL(None)  # Python's own mmap keeps a descriptor
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with path.open("rb") as reader:
        assert reader.read(1) == b"a"
        fd = os.open(path, os.O_RDWR)
        address = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
        os.close(fd)
        ctypes.memset(address, ord("b"), 1)
        libc.munmap(address, 4096)
        wait_for(lambda: mount.content("f")[:1] == b"b")


def test_truncation_that_failed(service: Emulator, mount_with: MountFactory) -> None:
    """D5: what has failed leaves the object as it was, for the next writer as well."""
    mount = mount_with("timeout=1")
    path = mount.path / "f"
    mount.sdk.put_object("f", b"content")
    faults = f"{service.url}/-/faults"
    with path.open("rb") as reader:
        assert reader.read(1) == b"c"
        requests.post(faults, json=["deny:op=PutObject"], timeout=60).raise_for_status()
        try:
            with pytest.raises(PermissionError):
                os.truncate(path, 2)
        finally:
            requests.delete(faults, timeout=60)
        with path.open("ab") as file:
            file.write(b"!")
    assert mount.content("f") == b"content!"


def test_rename_while_closing(mount: Mounted, refusals: Faults) -> None:
    """D7: a file renamed while it is being uploaded is under its new name only."""
    for new in (True, False):
        path = mount.path / "f"
        if not new:
            path.write_bytes(b"old")
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b"content")
        refusals.set("delay=1:op=PutObject")
        closing = threading.Thread(target=os.close, args=(fd,))
        closing.start()
        wait_for(refusals.hits)
        subprocess.run(["mv", path, mount.path / "g"], check=True)
        closing.join()
        assert mount.keys() == ["g"]
        assert mount.content("g") == b"content"
        os.unlink(mount.path / "g")


def test_directory_rename_while_closing(mount: Mounted, refusals: Faults) -> None:
    """D7: a file closed while its directory is being renamed loses nothing."""
    os.mkdir(mount.path / "d")
    for name in "abc":
        (mount.path / "d" / name).write_bytes(b"old")
    fd = os.open(mount.path / "d/a", os.O_WRONLY)
    os.write(fd, b"new")
    refusals.set("delay=1:op=CopyObject")
    mover = subprocess.Popen(["mv", mount.path / "d", mount.path / "e"])
    wait_for(refusals.hits)
    os.close(fd)
    with (mount.path / "e/b").open("ab") as file:
        file.write(b"!")
    assert mover.wait(FAR) == 0
    assert mount.content("e/a") == b"new"
    assert not mount.judge.keys().count("d/a")


ODD = [
    " lead",
    "trail ",
    "a\nb",
    "a\tb",
    "a\x01b",
    "a\x7fb",
    "a+b",
    "a%20b",
    "a?b=c",
    "a&b",
    "a#b",
    "\u00e9",
    "e\u0301",
    "\U0001f600",
    "..a",
    "a\\b",
    "'\"<>",
    "%",
    "~",
    "*",
    "\ufffe",
    "a\u2028b",
    "a\rb",
    "=",
    ":;,@",
]


def test_odd_names(mount: Mounted) -> None:
    """T1: key `a/b` is file `/a/b`, whatever characters are in it."""
    places = [(mount.path / str(number), odd) for number, odd in enumerate(ODD)]
    for p, odd in places:
        p.mkdir()
        (p / odd).write_bytes(b"x")
        os.setxattr(p / odd, "user.tag.k", b"v")
        os.mkdir(p / "d")
        os.rename(p / odd, p / "d" / odd)
        os.symlink(odd, p / "d" / "link")
        os.symlink("t", p / "d" / (odd + "l"))
        os.rename(p / "d", p / odd)
        os.chmod(p / odd / odd, 0o600)
        os.setxattr(p / odd / odd, "user.meta.k", b"v")
    mount.forget()
    for p, odd in places:
        assert sorted(os.listdir(p / odd)) == sorted([odd, "link", odd + "l"]), ascii(odd)
        assert os.readlink(p / odd / "link") == odd
        assert (p / odd / "link").read_bytes() == b"x"
        assert mount.tags(f"{p.name}/{odd}/{odd}") == {"k": "v"}, ascii(odd)
        run("rm", "-r", p)
    assert mount.keys() == []


def test_metadata_of_the_root(mount: Mounted) -> None:
    """G10: what cannot be kept is EOPNOTSUPP: a bucket has no user metadata."""
    with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
        os.setxattr(mount.path, "user.meta.k", b"v")


@pytest.mark.parametrize("edit", ["chmod", "meta", "rename"])
def test_edit_of_a_newer_version_than_is_read(mount: Mounted, edit: str) -> None:
    """D3: content replaced under a reader gives ESTALE, never a mix, whatever is edited then."""
    old, new = b"a" * 6 * 1024**2, b"b" * 6 * 1024**2
    mount.sdk.put_object("big", old)
    path = mount.path / "big"
    with path.open("rb", buffering=0) as file:
        assert file.read(1000) == old[:1000]
        mount.sdk.put_object("big", new)
        until_stale()
        os.setxattr(mount.path, "user.tagfs.refresh", b"")
        if edit == "chmod":
            path.chmod(0o600)
        elif edit == "meta":
            os.setxattr(path, "user.meta.color", b"blue")
        else:
            path.rename(mount.path / "other")
        file.seek(5 * 1024**2)
        assert unless_stale(lambda: file.read(1000)) in (None, b"a" * 1000)


def test_directory_moved_with_a_changed_file_replaced_elsewhere(mount: Mounted) -> None:
    """D3: a changed file is finished from the version that it derives from, or not at all."""
    old, new = b"a" * 300_000, b"b" * 300_000
    mount.sdk.put_object("d/f", old)
    fd = os.open(mount.path / "d/f", os.O_RDWR)
    os.pwrite(fd, b"X", 0)
    mount.sdk.put_object("d/f", new)
    os.rename(mount.path / "d", mount.path / "e")
    unless_stale(lambda: os.close(fd))
    assert set(mount.content("e/f")) in ({ord("b")}, {ord("X"), ord("a")})


TEXTS = [
    "../x",
    "../../x",
    "/abs",
    "a//b",
    "..",
    "a/",
    " a",
    "a\nb",
    "\u00e9",
    "x" * 1000,
    "\udcff",
]


def test_texts_of_links(mount_with: MountFactory) -> None:
    """L2: readlink returns byte for byte what symlink was given, UTF-8 or not, moved or not."""
    mount = mount_with(prefix="p/q")
    for number, text in enumerate(TEXTS):
        old, new = mount.path / f"old{number}", mount.path / f"new{number}"
        old.mkdir()
        os.symlink(text, old / "link")
        assert os.readlink(old / "link") == text
        old.rename(new)
        (new / "link").rename(mount.path / f"link{number}")
    mount.forget()
    assert [os.readlink(mount.path / f"link{n}") for n in range(len(TEXTS))] == TEXTS


def test_an_editor_never_reads_a_half_to_write_it_back(mount_with: MountFactory) -> None:
    """D2. ... never a mix and never a half: opened to be changed within a second of another host's
    replacement, a file is read as the version that was looked up, or not at all."""
    one, two = mount_with(), mount_with()
    one.sdk.put_object("f", b"short")
    assert (two.path / "f").stat().st_size == 5
    (one.path / "f").write_bytes(b"long enough to be cut")
    file = (two.path / "f").open("r+b", buffering=0)
    with file, pytest.raises(OSError, match="Stale"):
        file.read()
    assert one.content("f") == b"long enough to be cut"
