"""What fits into one page of a directory: every entry once, and never more than there is room."""

import stat

import pytest
from hypothesis import given, strategies as st

from tagfs.fuse.directory_pages import PAGE, DirectoryEntries

NAMES = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), max_size=200)


def length(name: bytes, head: int) -> int:
    """Bytes of a record of fuse_kernel.h: FUSE_DIRENT_ALIGN(head + namelen)."""
    return (head + len(name) + 7) // 8 * 8


@pytest.mark.parametrize(("plus", "head"), [(False, 24), (True, 152)])
@given(names=NAMES)
def test_pages(*, plus: bool, head: int, names: list[str]) -> None:
    entries = DirectoryEntries((name, stat.S_IFREG, 7) for name in names)
    at = 0
    while at < len(names):
        page = entries.page(at, plus=plus)
        assert page.start == at
        assert page.stop > at
        taken = sum(length(name, head) for name in entries.names[page.start : page.stop])
        assert taken <= PAGE
        more = entries.names[page.stop : page.stop + 1]
        assert not more or taken + length(more[0], head) > PAGE
        at = page.stop
    assert not entries.page(at, plus=plus)


def test_names_that_are_not_utf8() -> None:
    entries = DirectoryEntries([("\udcff", 0, 1)])
    assert entries.names == [b"\xff"]
