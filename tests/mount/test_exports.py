"""What an NFS server asks of a mount: a handle of a file, and the file of a handle, much later.

Neither the kernel's server nor a client of it runs everywhere; the system calls by which nfsd and
nfs-ganesha work do. docs/access.md has what was tried of both, and of Samba.
"""

import ctypes
import errno
import os
from pathlib import Path

import pytest

from tests.mount.conftest import MountFactory
from tests.mounting import Mounted

pytestmark = [
    pytest.mark.services("oss", "fuse2"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root may open a handle"),
]

AT_FDCWD = -100
LIBC = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    """struct file_handle of name_to_handle_at(2)."""

    _fields_ = [  # noqa: RUF012  ctypes wants a list
        ("bytes", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("data", ctypes.c_char * 128),
    ]


def handle_of(path: Path) -> Handle:
    handle, mount_id = Handle(128), ctypes.c_int()
    given = ctypes.byref(handle), ctypes.byref(mount_id)
    if LIBC.name_to_handle_at(AT_FDCWD, os.fsencode(path), *given, 0):
        raise OSError(ctypes.get_errno(), "no handle", str(path))
    return handle


def open_handle(mount: Mounted, handle: Handle, flags: int) -> int:
    root = os.open(mount.path, os.O_RDONLY)
    try:
        opened = int(LIBC.open_by_handle_at(root, ctypes.byref(handle), flags))
        if opened < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return opened
    finally:
        os.close(root)


def read_by(mount: Mounted, handle: Handle) -> bytes:
    opened = open_handle(mount, handle, os.O_RDONLY)
    try:
        return os.read(opened, 100)
    finally:
        os.close(opened)


def test_a_handle_holds_with_noforget(mount_with: MountFactory) -> None:
    """... after the kernel has forgotten the name, and follows the file when that is renamed."""
    mount = mount_with("noforget")
    mount.judge.put("d/x", b"old")
    handle = handle_of(mount.path / "d/x")
    assert read_by(mount, handle) == b"old"
    mount.released()
    mount.forget_in_kernel()
    assert read_by(mount, handle) == b"old"
    (mount.path / "d/x").rename(mount.path / "d/y")
    mount.forget_in_kernel()
    opened = open_handle(mount, handle, os.O_WRONLY | os.O_TRUNC)
    os.write(opened, b"new")
    os.close(opened)
    assert mount.content("d/y") == b"new"
    assert os.listdir(mount.path / "d") == ["y"]


def test_without_noforget_a_handle_goes_stale(mount: Mounted) -> None:
    """ESTALE, and never another file."""
    mount.judge.put("d/x", b"old")
    handle = handle_of(mount.path / "d/x")
    assert read_by(mount, handle) == b"old"
    mount.released()
    mount.forget_in_kernel()
    try:
        told = read_by(mount, handle).decode()  # by a kernel that did not forget it
    except OSError as error:
        told = errno.errorcode[error.errno or 0]
    assert told in {"old", "ESTALE"}
