"""The file of a catalogue: SQLite, private to one user, thrown away and begun anew when damaged.

One connection reads and one writes; other processes may have the file open as well. What is asked
for in a text that is not UTF-8 is in no file: that is no damage.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from tagfs.catalogue import openings
from tagfs.catalogue.clock import HOST, CatalogueClock, HostClock
from tagfs.catalogue.rows import DAMAGED
from tagfs.catalogue.schema import age_the_future, make_tables
from tagfs.errors import TagfsError
from tagfs.localfiles.private import UnsafeFile, check_file, open_directory

log = logging.getLogger(__name__)

T = TypeVar("T")

DAMAGED_FILE: Final = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises of a file that is none of its own, the latter as it quotes what is there."""

BUSY: Final = 10.0
"""Seconds of waiting for another process that writes."""


class Unusable(TagfsError):
    """There is no catalogue, or it can be read or written no more; the text says why."""


class Database:
    """One file, opened.

    Attributes:
        trouble: why the last write failed that did.
        died_at: when it was last found that a process had ended without writing what it had learnt
            (ms by the clock of the catalogue; 0: never).

    Args:
        directory: made if missing; must be ours alone.

    Raises:
        Unusable: it cannot be made or opened.
    """

    def __init__(self, directory: Path, name: str, host: HostClock = HOST) -> None:
        self.path = directory / name
        self._host = host
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._damaged = False
        self.trouble = ""
        self.died_at = 0
        self._opening = ""
        _make_private(directory)
        try:
            self.clock = self._begin()
        except DAMAGED_FILE as error:
            if _is_busy(error):
                raise Unusable(f"{self.path}: {error}") from None
            log.info("%s is begun anew: %s", self.path, error)
            self._remove()
            try:
                self.clock = self._begin()
            except (*DAMAGED_FILE, OSError) as second:
                raise Unusable(f"{self.path}: {second}") from None
        except OSError as error:
            raise Unusable(f"{self.path}: {error.strerror}") from None

    def read(self, work: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Return what `work` finds, or `default` where the file cannot be read."""
        with self._lock:
            if self._reader is None:
                return default
            try:
                return work(self._reader)
            except UnicodeEncodeError:
                return default
            except (sqlite3.Error, *DAMAGED) as error:
                log.debug("%s: %s", self.path, error)
                self._damaged = not _is_busy(error)
                return default

    def rows(
        self, sql: str, values: Sequence[Any] = (), *, mends: bool = True
    ) -> Iterator[tuple[Any, ...]]:
        """Yield rows by a connection of their own, so that nobody else waits.

        What is damaged is begun anew, unless not `mends`: that waits for others.

        Raises:
            Unusable: there may be more of them.
        """
        if mends and not self._is_in_place():
            self.rebuild()
        read_from = self._identity
        try:
            with closing(self._connect()) as connection:
                yield from connection.execute(sql, values)
        except UnicodeEncodeError:
            return
        except DAMAGED_FILE as error:
            if not mends or _is_busy(error):
                raise Unusable(f"{self.path} cannot be read: {error}") from None
            raise self.damaged(read_from) from None

    def write(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        """Do something as a whole; say whether it is done. A damaged file is begun anew."""
        if self._damaged or not self._is_in_place():
            self.rebuild()
        try:
            with closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                work(connection)
                connection.execute("COMMIT")
        except UnicodeEncodeError:
            self.trouble = "a name is not UTF-8"
            return False
        except (*DAMAGED_FILE, OSError) as error:
            log.debug("%s: %s", self.path, error)
            self.trouble = str(error)
            self._damaged = not _is_busy(error)
            if self._damaged:
                self.rebuild()  # now: this may have been the last that a process writes
            return False
        return True

    def damaged(self, read_from: tuple[int, int] | None = None) -> Unusable:
        """Begin a file anew that holds what nobody wrote, and return what is to be said.

        `read_from`: which file that was, if it may have been replaced meanwhile.
        """
        if read_from in (None, self._identity):
            self._damaged = True
            self.rebuild()
        return Unusable(f"{self.path} is damaged, and begun anew: run tagfs index")

    def rebuild(self) -> None:
        """Throw a damaged file away, and open what is there in its place."""
        with self._beginning:
            if not self._damaged and self._is_in_place():
                return  # another thread has begun it anew, and may have written
            log.info("%s is begun anew", self.path)
            self.close()
            if self._damaged:
                self._remove()
            with suppress(*DAMAGED_FILE, OSError):
                self.clock = self._begin()
                self._damaged = False

    def used(self) -> int:
        """Return the bytes in use."""

        def measure(connection: sqlite3.Connection) -> int:
            pages, free, size = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            return (pages - free) * size

        return self.read(measure, 0)

    def end(self) -> None:
        """Give the file back, after all that was learnt is written."""
        if self._is_in_place():  # one that was deleted is not begun anew for that
            self.write(lambda connection: openings.leave(connection, self._opening))
        self.close()

    def close(self) -> None:
        """Give the file back; the next that opens it does not take it for up to date."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _is_in_place(self) -> bool:
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _begin(self) -> CatalogueClock:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstat(fd)
            check_file(found)
        except UnsafeFile as error:
            raise OSError(0, str(error)) from None
        finally:
            os.close(fd)
        self._identity = found.st_dev, found.st_ino
        connection = self._connect()
        try:
            clock = self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._reader = connection
        return clock

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous=NORMAL")  # a crash loses what was learnt last
            connection.execute("PRAGMA cache_size=-2000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> CatalogueClock:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _switch_to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            make_tables(connection)
            offset = self._offset(connection)
            connection.execute("SELECT key, detail, tagset FROM objects LIMIT 1").fetchall()
            clock = CatalogueClock(self._host, offset)
            self._opening, self.died_at = openings.enter(connection, clock.now())
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return clock

    def _offset(self, connection: sqlite3.Connection) -> float:
        kept: Mapping[str, str] = dict(connection.execute("SELECT name, value FROM meta"))
        boot = self._host.boot()
        if boot and kept.get("boot") == boot:
            with suppress(KeyError, ValueError):
                return float(kept["offset"])
        offset = self._host.wall() - self._host.running()
        age_the_future(connection, int(self._host.wall() * 1000))
        write = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
        connection.executemany(write, [("boot", boot), ("offset", repr(offset))])
        return offset

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + end).unlink()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The change of mode does not wait for others: they are about to do the same.
    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            time.sleep(0.02)
        else:
            return


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(open_directory(directory))
    except UnsafeFile as error:
        raise Unusable(f"{directory}: {error}") from None
    except OSError as error:
        raise Unusable(f"{directory}: {error.strerror}") from None


def _is_busy(error: Exception) -> bool:
    """Say whether the file is whole: another process has it, or there is no room for more."""
    if isinstance(error, OSError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    passing = {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
    }
    return code is not None and (code & 0xFF) in passing
