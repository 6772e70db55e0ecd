"""How an open file stands to its object: each state, and what each change makes of it."""

from pathlib import Path

import pytest

from tagfs.errors import AccessDenied, TagfsError
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.file_state import (
    Clean,
    Closed,
    Committing,
    Dirty,
    Failed,
    FileState,
    Unlinked,
    changed,
    closed,
    committed,
    failed,
    sending,
    staging,
    unlinked,
)

HERE = StagedFile(Path("a"), -1)
DUE = Attributes(mode=0o100644, uid=0, gid=0, mtime_ns=1, ctime_ns=1, atime_ns=1)
REASON = (13, "not now")

STAGED: list[FileState] = [
    Clean(HERE),
    Clean(HERE, DUE),
    Dirty(HERE),
    Dirty(HERE, edited=True),
    Committing(HERE),
    Failed(HERE, *REASON),
    Unlinked(HERE),
]
BARE: list[FileState] = [Clean(), Unlinked(), Closed()]


@pytest.mark.parametrize(
    ("before", "written", "edited"),
    [
        (Clean(HERE), Dirty(HERE), Dirty(HERE, edited=True)),
        (Clean(HERE, DUE), Dirty(HERE, edited=True), Dirty(HERE, edited=True)),
        (Dirty(HERE), Dirty(HERE), Dirty(HERE, edited=True)),
        (Dirty(HERE, edited=True), Dirty(HERE, edited=True), Dirty(HERE, edited=True)),
        (Committing(HERE), Committing(HERE), Committing(HERE, edited=True)),
        (Failed(HERE, *REASON), Failed(HERE, *REASON), Failed(HERE, *REASON, edited=True)),
        (
            Failed(HERE, *REASON, edited=True),
            Failed(HERE, *REASON, edited=True),
            Failed(HERE, *REASON, edited=True),
        ),
        (Unlinked(HERE), Unlinked(HERE), Unlinked(HERE)),
    ],
)
def test_what_is_changed_is_to_be_sent(
    before: FileState, written: FileState, edited: FileState
) -> None:
    assert changed(before) == written
    assert changed(before, edited=True) == edited


@pytest.mark.parametrize("before", [Clean(), Closed()])
def test_nothing_is_changed_that_is_not_here(before: FileState) -> None:
    with pytest.raises(ValueError, match="nothing is staged"):
        changed(before)


@pytest.mark.parametrize(
    ("before", "after"),
    [(Clean(), Clean(HERE)), (Closed(), Clean(HERE)), (Unlinked(), Unlinked(HERE))],
)
def test_a_copy_alone_makes_nothing_due(before: FileState, after: FileState) -> None:
    assert staging(before, HERE) == after


@pytest.mark.parametrize("before", [Dirty(HERE), Committing(HERE), Failed(HERE, *REASON)])
def test_there_is_one_copy(before: FileState) -> None:
    with pytest.raises(ValueError, match="staged already"):
        staging(before, HERE)


@pytest.mark.parametrize("edited", [True, False])
def test_an_upload_ends_one_way_or_the_other(*, edited: bool) -> None:
    under_way = sending(Dirty(HERE, edited=edited))
    assert under_way == Committing(HERE, edited=edited)
    assert committed(under_way) == Clean(HERE)
    assert committed(under_way, DUE) == Clean(HERE, DUE)
    error: TagfsError = AccessDenied("not now")
    assert failed(under_way, error) == Failed(HERE, error.errno, "not now", edited=edited)
    assert sending(failed(under_way, error)) == under_way


@pytest.mark.parametrize("before", [*STAGED, *BARE])
def test_a_name_and_a_last_handle_are_lost_for_good(before: FileState) -> None:
    assert unlinked(before) == Unlinked(before.staged)
    assert closed(unlinked(before)) == Unlinked()
    after = closed(before)
    assert after == (Unlinked() if isinstance(before, Unlinked) else Closed())
    assert after.staged is None
