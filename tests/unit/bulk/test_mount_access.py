"""What goes through a mount: refusals of the mount are failures, never tracebacks."""

import json
import os
from pathlib import Path

import pytest

from tagfs.bulk.mount_access import MountAccess
from tagfs.bulk.tag_access import Address
from tagfs.errors import AlreadyExists, NotPermitted, TagfsError
from tagfs.fs.mapping.paths import Root
from tagfs.host.mount_table import Mount
from tagfs.store.client.client import DIALECTS


def access(path: Path) -> MountAccess:
    return MountAccess(Mount(str(path), "oss://bucket"), Root(), DIALECTS["oss"])


def test_a_mount_without_status_undeletes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TagfsError):
        access(tmp_path).undelete(Address("d/f"))


@pytest.mark.parametrize(
    ("views", "place"), [("", ".tagfs/versions/d/f"), ("Tags", "Tags/versions/d/f")]
)
def test_undelete_goes_by_the_view_of_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: str, place: str
) -> None:
    asked: list[str] = []
    status = json.dumps({"views": views}).encode()
    monkeypatch.setattr(os, "getxattr", lambda _path, _name: status)
    monkeypatch.setattr(os, "setxattr", lambda path, _name, _value: asked.append(str(path)))
    access(tmp_path).undelete(Address("d/f"))
    assert asked == [f"{tmp_path}/{place}"]

    def taken(path: Path, _name: str, _value: bytes) -> None:
        raise FileExistsError(17, "File exists", str(path))

    monkeypatch.setattr(os, "setxattr", taken)
    with pytest.raises(AlreadyExists):
        access(tmp_path).undelete(Address("d/f"))


def test_a_mount_without_views_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", lambda _path, _name: b'{"views": "off"}')
    with pytest.raises(NotPermitted, match="no views"):
        access(tmp_path).undelete(Address("d/f"))
