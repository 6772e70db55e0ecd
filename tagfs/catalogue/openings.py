"""Who has a catalogue open, so that one that ended without writing what it had learnt is noticed.

Each that opens the file leaves a row in `meta`, and takes it away when it has written all. A row
whose process is gone tells that its last changes may be missing (a kill, no memory): what is in the
file may then be older than what this host has set.
"""

import itertools
import os
import sqlite3
from pathlib import Path
from typing import Final

_ROW: Final = "open:"
_DIED: Final = "died"
_serial = itertools.count()


def enter(connection: sqlite3.Connection, now: int) -> tuple[str, int]:
    """Note that this process has the file open; within a transaction.

    Returns:
        The name of the note, and when it was last found that one had died (ms; 0: never).
    """
    rows = dict(connection.execute("SELECT name, value FROM meta"))
    dead = [name for name in rows if name.startswith(_ROW) and not _lives(name)]
    if dead:
        connection.executemany("DELETE FROM meta WHERE name = ?", [(name,) for name in dead])
        _put(connection, _DIED, str(now))
        rows[_DIED] = str(now)
    name = f"{_ROW}{os.getpid()}:{_started(os.getpid())}:{next(_serial)}"
    _put(connection, name, "")
    found = rows.get(_DIED, "")
    return name, min(int(found), now) if found.isdigit() else 0


def leave(connection: sqlite3.Connection, name: str) -> None:
    """Take a note away: all is written."""
    connection.execute("DELETE FROM meta WHERE name = ?", (name,))


def _put(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def _lives(name: str) -> bool:
    """Say whether the process of a note is there; one in another container seems to be gone."""
    _, pid, started, _ = (*name.split(":"), "", "", "")[:4]
    return pid.isdigit() and started != "" and _started(int(pid)) == started


def _started(pid: int) -> str:
    """Return when a process was started (clock ticks since boot); "" if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
