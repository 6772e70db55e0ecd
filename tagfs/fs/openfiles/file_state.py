"""How an open file stands to its object: one of six states, and what changes one into another.

A file begins `Clean`, or `Dirty` if it is made here:

    Clean --changed--> Dirty --sending--> Committing --committed--> Clean
                                                     --failed-----> Failed --sending--> Committing

From each of these it may become `Unlinked`, which is for good, and `Closed` with its last handle.

Values, and pure functions of them. Their owner's lock is held around every change; a state is put
in place whole, so who looks without the lock sees one or the other.
"""

from dataclasses import dataclass, field, replace
from typing import assert_never

from tagfs.errors import TagfsError
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.mapping.posix_metadata import Attributes


@dataclass(frozen=True, slots=True)
class Clean:
    """The service has all that was changed here.

    Attributes:
        staged: the local copy that all handles see since the first change; None before that.
        due: attributes that an append could not carry, and that are still to be set.
    """

    staged: StagedFile | None = None
    due: Attributes | None = None


@dataclass(frozen=True, slots=True)
class Dirty:
    """Content or attributes are here that the service has not.

    Attributes:
        edited: attributes or metadata are among them.
    """

    staged: StagedFile
    edited: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Committing:
    """It is being uploaded; who holds the lock does that."""

    staged: StagedFile
    edited: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Failed:
    """Its last upload failed, which close(2) has reported; it stays on the local disk.

    What is written after that changes nothing of this: only another upload does.

    Attributes:
        errno, reason: of the failure. (The error itself would keep what it was raised from.)
    """

    staged: StagedFile
    errno: int
    reason: str
    edited: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Unlinked:
    """It has no name any more, and nothing of it is to be uploaded."""

    staged: StagedFile | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """Its last handle is gone: nothing of it is open here. What was not uploaded is on the disk."""

    staged: None = None


FileState = Clean | Dirty | Committing | Failed | Unlinked | Closed

UNSENT = (Dirty, Committing, Failed)
"""States of a file of which the service has not all."""


def staging(state: FileState, staged: StagedFile) -> FileState:
    """Return the state of a file that has a local copy from now on; it has none yet."""
    match state:
        case Clean():
            return replace(state, staged=staged)
        case Closed():
            return Clean(staged)
        case Unlinked():
            return Unlinked(staged)
        case Dirty() | Committing() | Failed():
            raise ValueError(f"staged already: {state}")
        case _:
            assert_never(state)


def changed(state: FileState, *, edited: bool = False) -> FileState:
    """Return the state after content was changed in the local copy, or what is to go with it."""
    match state:
        case Clean(StagedFile() as staged, due):
            return Dirty(staged, edited=edited or due is not None)
        case Clean() | Closed():
            raise ValueError("nothing is staged that could be changed")
        case Dirty() | Committing() | Failed():
            return replace(state, edited=True) if edited and not state.edited else state
        case Unlinked():
            return state
        case _:
            assert_never(state)


def sending(state: Dirty | Failed) -> Committing:
    """Return the state of a file whose upload begins."""
    return Committing(state.staged, edited=state.edited)


def committed(state: Committing, due: Attributes | None = None) -> Clean:
    """Return the state after an upload; `due`: attributes that it could not carry."""
    return Clean(state.staged, due)


def failed(state: Committing, error: TagfsError) -> Failed:
    """Return the state after an upload that failed."""
    return Failed(state.staged, error.errno, str(error), edited=state.edited)


def unlinked(state: FileState) -> Unlinked:
    """Return the state of a file that lost its last name."""
    return Unlinked(state.staged)


def closed(state: FileState) -> Closed | Unlinked:
    """Return the state of a file whose last handle is gone."""
    return Unlinked() if isinstance(state, Unlinked) else Closed()
