"""Going through all that was left below a cache directory, and keeping count of what came of it.

Directories come newest first: of several staged files for one key the newest is what the last
program wrote.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagfs.config.bucket_settings import bucket_settings
from tagfs.errors import SettingsError, TagfsError
from tagfs.fs.content.journal_entries import FileEntry
from tagfs.fs.mapping.paths import Root
from tagfs.localfiles.private import UnsafeFile
from tagfs.recovery.abandoned import AbandonedDirectory, find
from tagfs.recovery.abandoned_file import StagedContent
from tagfs.recovery.finish_file import Conflict
from tagfs.recovery.left_files import AbandonedFile, Contents, Problem
from tagfs.recovery.output import Output
from tagfs.store.client.client import Client, open_bucket
from tagfs.terminal.format import shown


@dataclass(slots=True)
class OpenBucket:
    """The bucket that staged files belong to, and the part of it that was mounted."""

    bucket: Client
    root: Root


class RecoveryRun:
    """One run over a cache directory. Thread-safe.

    Attributes:
        counts: how often each outcome came about.
        left: whether something is left that nobody has yet.
    """

    def __init__(self, cache_dir: Path, changes: Mapping[str, str | bool], output: Output) -> None:
        """`changes` are mount options that take the place of those that the mount had."""
        self.output = output
        self.counts: Counter[str] = Counter()
        self.left = False
        self._lock = threading.Lock()
        self._cache_dir = cache_dir
        self._changes = changes

    def directories(self) -> Iterator[tuple[AbandonedDirectory, Contents]]:
        """Yield every directory in which something was left."""
        for found in find(self._cache_dir):
            if isinstance(found, Problem):
                self.problem(f"{shown(found.name)}: left alone: {found.reason}")
                continue
            with found as directory:
                contents = directory.contents()
                if contents:
                    yield directory, contents

    @contextmanager
    def opened(self, directory: AbandonedDirectory) -> Iterator[OpenBucket | None]:
        """Open the bucket of a directory; None, after saying so, if it cannot be."""
        bucket: Client | None = None
        try:
            if directory.record is None:
                raise SettingsError(f"which bucket it is of is not known: {directory.trouble}")
            settings = directory.record.settings(self._changes)
            bucket = open_bucket(bucket_settings(settings))
            bucket.check(settings.url.prefix)
            bucket.probe(settings.url.prefix)
        except TagfsError as error:
            self.problem(f"{directory.path}: {error}")
            if bucket is not None:
                bucket.close()
            yield None
            return
        try:
            yield OpenBucket(bucket, Root(settings.url.prefix, bucket.limits.max_key))
        finally:
            bucket.close()

    def attempt(
        self,
        directory: AbandonedDirectory,
        staged: AbandonedFile,
        act: Callable[[AbandonedDirectory, AbandonedFile], None],
    ) -> None:
        """Do something to one staged file; whatever goes wrong is a line, and the file stays."""
        name = staged_name(directory, staged)
        try:
            act(directory, staged)
        except FileNotFoundError:
            return  # another process has just finished it
        except Conflict as conflict:
            self.problem(
                f"conflict: {name}: {conflict}; kept, `--export DIR` copies it out", "conflict"
            )
        except (TagfsError, UnsafeFile, OSError) as error:
            self.problem(f"failed: {name}: {error}; kept, it may be tried again", "failed")

    def problems(self, directory: AbandonedDirectory, contents: Contents) -> None:
        """Tell what in a directory cannot be acted on."""
        for problem in contents.problems:
            path = directory.path / problem.name
            self.problem(f"{path}: left alone: {shown(problem.reason)}", "damaged")

    def problem(self, line: str, kind: str = "problem") -> None:
        """Tell that something is left, and why."""
        self.left = True
        self.count(kind)
        self.output.complain(line)

    def count(self, kind: str) -> None:
        """Count an outcome."""
        with self._lock:
            self.counts[kind] += 1


@contextmanager
def open_content(
    directory: AbandonedDirectory, staged: AbandonedFile
) -> Iterator[StagedContent | None]:
    """Open a staged file with a note; None if a running mount uses it."""
    entry = staged.entry
    with directory.opened(staged) as fd:
        if fd is None or entry is None:
            yield None
            return

        def rewrite(changed: FileEntry) -> None:
            directory.rewrite(staged.token, changed)

        yield StagedContent(directory.path / f"{staged.token}.data", fd, entry, rewrite)


def bucket_name(directory: AbandonedDirectory) -> str:
    """Return `oss://bucket` of a directory, "?" if it is not known."""
    if directory.record is None:
        return "?"
    return shown("/".join(directory.record.url.split("/")[:3]))


def staged_name(directory: AbandonedDirectory, staged: AbandonedFile) -> str:
    """Return what people know a staged file by: its object, or else its path."""
    if staged.entry is None:
        return str(directory.path / f"{staged.token}.data")
    return f"{bucket_name(directory)}/{shown(staged.entry.key)}"
