"""A local index of one bucket: what the service answered of its objects, and when.

Many read, one thread writes what all have learnt. Nothing here fails: what cannot be read is not
known, and what cannot be written is given up. How far an answer may be believed is for who asks:
every one says how old it is.
"""

import logging
import sqlite3
import threading
from collections.abc import Sequence
from typing import Final

from tagfs.catalogue.clock import CatalogueClock
from tagfs.catalogue.database import Database, Unusable
from tagfs.catalogue.facts import Fact, apply
from tagfs.catalogue.pending import Batch, PendingFacts
from tagfs.catalogue.rows import Known, can_hold
from tagfs.catalogue.statements import RowWriter, read_keys, within
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet

log = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds for which what is learnt is gathered."""

MANY: Final = 5000
"""Facts after which nobody waits for that."""

RESUMED: Final = 3600.0
"""Seconds for which a scan that was cut off can be gone on with."""

EVICTED: Final = 4
"""Of that many objects one is forgotten, those first that were seen longest ago, when the catalogue
is larger than it may be."""


class Catalogue:
    """What is known of one bucket.

    Args:
        database: the file; belongs to this from now on.
        size: bytes that it may have.
    """

    def __init__(self, database: Database, size: int) -> None:
        self.database: Final = database
        self._size = size
        self._pending = PendingFacts()
        self._believed_from = 0
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._ending = False
        self._turn = threading.Lock()  # one flush at a time
        self._thread = threading.Thread(target=self._run, name="tagfs-catalogue", daemon=True)
        self._thread.start()

    @property
    def clock(self) -> CatalogueClock:
        """The time that all ages are counted by."""
        return self.database.clock

    @property
    def believed_from(self) -> int:
        """When that was before which nothing is believed, because something was lost."""
        if self._pending.lost:
            self._pending.lost = False
            self._believed_from = self.clock.now()
        return self._believed_from

    @property
    def waiting(self) -> int:
        """How many keys wait to be written."""
        return len(self._pending)

    # Reading

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of keys, by key."""
        wanted = [key for key in keys if can_hold(key)]
        nothing: dict[str, Known] = {}
        stored = self.database.read(lambda c: read_keys(c, wanted), nothing)
        return self._pending.apply(wanted, stored)

    # Learning

    def saw(
        self, info: ObjectInfo, *, age: float = 0.0, detail_age: float = 0.0, settled: bool = False
    ) -> None:
        """Take in an object as the service showed it; `settled`: see `Known`. Ages are seconds."""
        now = self.clock.now()
        at = now - int(age * 1000)
        detail_at = 0 if info.detail is None else now - int(max(detail_age, age) * 1000)
        self.learn(Fact(Known(info.key, info, at, detail_at, settled)))

    def saw_tags(self, key: str, tags: TagSet | None, *, age: float = 0.0) -> None:
        """Take in the tags of an object; None: nobody knows them any more."""
        at = self.clock.now() - int(age * 1000)
        self.learn(Fact(Known(key, tags=tags, tags_at=at)))

    def drop(self, key: str) -> None:
        """Know nothing any more of a key."""
        self.learn(Fact(Known(key), is_whole=True))

    def drop_prefix(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix`."""
        if can_hold(prefix):
            self._pending.drop_prefix(prefix)
            self._wake.set()

    def learn(self, fact: Fact) -> None:
        """Take in a fact; who does waits for nothing."""
        if not can_hold(fact.known.key):
            return
        self._pending.add(fact)
        if not self._wake.is_set():
            self._wake.set()
        if len(self._pending) > MANY:
            self._urgent.set()

    # Scans

    def begin_scan(self, prefix: str) -> int:
        """Note that all below `prefix` is about to be read; return when that began.

        One that was cut off not long ago is gone on with.

        Raises:
            Unusable: nothing can be written.
        """
        found = self.database.read(lambda c: _unfinished(c, prefix), None)
        now = self.clock.now()
        if found is not None and self.clock.age(found) < RESUMED:
            return found
        sql = (
            "INSERT INTO scans VALUES (?, ?, NULL) ON CONFLICT (prefix) DO UPDATE SET began=?,"
            " ended=NULL"
        )
        if not self.database.write(lambda c: _execute(c, sql, (prefix, now, now))):
            raise Unusable(f"{self.database.path} cannot be written: {self.database.trouble}")
        return now

    def check_scan(self, began: int) -> None:
        """Raise Unusable if something was lost that was read since then."""
        if self.believed_from >= began:
            raise Unusable(
                f"{self.database.path} lacks some of what was read: {self.database.trouble};"
                " run it again"
            )

    def end_scan(self, prefix: str, began: int) -> None:
        """Note that all below `prefix` was read; what was not seen meanwhile is there no more.

        Raises:
            Unusable: the catalogue has not all of it.
        """
        self.flush()
        self.check_scan(began)
        if not self.database.write(lambda c: _end_scan(c, prefix, began, self.clock.now())):
            raise Unusable(f"{self.database.path} cannot be written: {self.database.trouble}")
        at = self.scanned_at(prefix)
        if at is None or at < began:
            raise Unusable(
                f"{self.database.path} had no room for all of it (catalogue_size), or a directory"
                " was renamed meanwhile"
            )

    def scanned_at(self, prefix: str) -> int | None:
        """Return when the last complete scan of all below `prefix` began; None without any."""
        above = [prefix[: i + 1] for i, char in enumerate(prefix) if char == "/"]
        marks = ",".join("?" * (len(above) + 1))
        sql = f"SELECT max(began) FROM scans WHERE ended IS NOT NULL AND prefix IN ({marks})"  # noqa: S608
        found = self.database.read(lambda c: c.execute(sql, ("", *above)).fetchone(), (None,))
        at: int | None = found[0]
        return None if at is None or at < self.believed_from else at

    # Queries that a user keeps

    def kept_queries(self, prefix: str) -> list[str]:
        """Return the names of the queries that are kept for a mount of `prefix`."""
        sql = "SELECT name FROM queries WHERE prefix = ? ORDER BY name"
        nothing: list[str] = []
        return self.database.read(lambda c: [row[0] for row in c.execute(sql, (prefix,))], nothing)

    def keep_query(self, prefix: str, name: str) -> None:
        """Keep a query."""
        sql = "INSERT OR IGNORE INTO queries VALUES (?, ?)"
        self.database.write(lambda c: _execute(c, sql, (prefix, name)))

    def drop_query(self, prefix: str, name: str) -> None:
        """Keep it no longer."""
        sql = "DELETE FROM queries WHERE prefix = ? AND name = ?"
        self.database.write(lambda c: _execute(c, sql, (prefix, name)))

    # Writing

    def flush(self) -> None:
        """Return when what was learnt so far is written, or given up."""
        with self._turn:
            batch = self._pending.take()
            if batch and not self.database.write(lambda c: _write(c, batch)):
                # Older answers may be there in the place of what is lost.
                self._believed_from = self.clock.now()
                log.info("%s: some of what was learnt is lost", self.database.path)
            self._pending.written()
            if batch and self.database.used() > self._size:
                self.database.write(_evict)

    def close(self) -> None:
        """Write what was learnt, and give the file back."""
        self._end()
        if self.believed_from or self._thread.is_alive():
            self.database.close()
        else:
            self.database.end()

    def abandon(self) -> None:
        """Give the file back, with what was learnt last perhaps not written."""
        self._pending.take()
        self._pending.written()
        self._end()
        self.database.close()

    def _end(self) -> None:
        self._ending = True
        self._urgent.set()
        self._wake.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            self._urgent.wait(EVERY)
            self._wake.clear()
            if not self._ending:
                self._urgent.clear()
            self._flush_safely()
        self._flush_safely()

    def _flush_safely(self) -> None:
        try:
            self.flush()
        except Exception:  # the mount goes on without
            self._believed_from = self.clock.now()
            log.exception("%s: a bug in tagfs", self.database.path)


def _execute(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    connection.execute(sql, values)


def _write(connection: sqlite3.Connection, batch: Batch) -> None:
    rows = RowWriter(connection)
    for prefix in batch.prefixes:
        rows.delete_prefix(prefix)
        connection.execute("DELETE FROM scans")  # what is there now is not known
    stored = read_keys(connection, list(batch.facts))
    for key, fact in batch.facts.items():
        # An answer that another got may be later than ours.
        known = apply(stored.get(key), fact)
        if known is None:
            rows.delete(key)
        else:
            rows.write(known)


def _unfinished(connection: sqlite3.Connection, prefix: str) -> int | None:
    sql = "SELECT began FROM scans WHERE prefix = ? AND ended IS NULL"
    found = connection.execute(sql, (prefix,)).fetchone()
    return None if found is None else int(found[0])


def _end_scan(connection: sqlite3.Connection, prefix: str, began: int, now: int) -> None:
    where, values = within(prefix)
    connection.execute(
        f"DELETE FROM objects WHERE {where} AND seen_at < ? AND tags_at < ?",  # noqa: S608
        (*values, began, began),
    )
    connection.execute("UPDATE scans SET ended = ? WHERE prefix = ?", (now, prefix))


def _evict(connection: sqlite3.Connection) -> None:
    count = int(connection.execute("SELECT count(*) FROM objects").fetchone()[0])
    connection.execute(
        "DELETE FROM objects WHERE id IN (SELECT id FROM objects"
        " ORDER BY max(seen_at, tags_at) LIMIT ?)",
        (count // EVICTED + 1,),
    )
    connection.execute("DELETE FROM scans")  # none is complete any more
    connection.execute(
        "DELETE FROM tagsets WHERE id NOT IN (SELECT tagset FROM objects WHERE tagset IS NOT NULL)"
    )
    connection.execute("PRAGMA incremental_vacuum")
