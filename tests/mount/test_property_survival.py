"""G12. Every rewrite keeps all that an object had and the program did not bring.

One table: each way of rewriting of the table of tags, each property of an object, each service.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mount.test_tag_survival import CASES, PART, Case
from tests.mounting import Mounted, mounted
from tests.properties import ACL, Properties, everything, granted

_COPIES = {"cp -a --preserve=xattr", "cp -a --preserve=xattr of parts", "shutil.copy2"}
"""Ways that make another file: what it gets is up to the tool, which knows of extended attributes
alone."""

WAYS = [case for case in CASES if case.tags is None and case.name not in _COPIES]


@pytest.fixture(scope="module")
def kept(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """One mount for all cases, each of which has a directory of its own."""
    path = tmp_path_factory.mktemp("kept") / "mnt"
    options = f"part_size={PART[service.service]}"
    with mounted(service, service.take(), path, options) as running:
        yield running


@pytest.mark.services("oss", "obs", "s3", "fuse2")
@pytest.mark.parametrize("case", WAYS, ids=lambda case: case.name)
def test_g12_what_an_object_has_survives(kept: Mounted, tmp_path: Path, case: Case) -> None:
    """G12. Every rewrite keeps all that an object had and the program did not bring."""
    prefix = re.sub(r"\W+", "-", case.name)
    content = b"x" * (3 * PART[kept.kind] + 5 if case.large else 10)
    properties = Properties(kept)
    wanted = everything(kept.kind)
    words = granted(kept.kind) if "parts" in case.name or "rsync" in case.name else {}
    words = words or {ACL[kept.kind]: "public-read"}
    properties.put(f"{prefix}/f", content, {**wanted, **words})
    acl = properties.acl(f"{prefix}/f")
    assert acl not in ("default", [])
    case.deed(kept.path / prefix, tmp_path)
    key = f"{prefix}/{case.key}"
    assert properties.lost(key, wanted) == {}
    assert properties.acl(key) == acl
    if case.after is not None:
        assert kept.content(key) == case.after(content)
