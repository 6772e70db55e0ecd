"""What an NFS server asks of a mount: a handle of a file, and the file of a handle, much later.

Neither the kernel's server nor a client of it runs everywhere; the system calls by which nfsd and
nfs-ganesha work do. docs/access.md has what was tried of both, and of Samba.
"""

import ctypes
import errno
import os
import struct
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


ROOM = 128
"""Bytes of the longest handle, behind two numbers: struct file_handle."""

Handle = ctypes.Array[ctypes.c_char]


def handle_of(path: Path) -> Handle:
    handle = ctypes.create_string_buffer(struct.pack("Ii", ROOM, 0), 8 + ROOM)
    mount_id = ctypes.byref(ctypes.c_int())
    if LIBC.name_to_handle_at(AT_FDCWD, os.fsencode(path), handle, mount_id, 0):
        raise OSError(ctypes.get_errno(), "no handle", str(path))
    return handle


def open_handle(mount: Mounted, handle: Handle, flags: int) -> int:
    root = os.open(mount.path, os.O_RDONLY)
    try:
        opened = int(LIBC.open_by_handle_at(root, handle, flags))
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
        reported = read_by(mount, handle).decode()  # by a kernel that did not forget it
    except OSError as error:
        reported = errno.errorcode[error.errno or 0]
    assert reported in {"old", "ESTALE"}
