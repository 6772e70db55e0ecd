"""What must be true: the files that programs made, and what the service may have of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tagfs.errors import TagfsError
from tests.simulation.recovering import Offered

Tags = dict[str, str]
Found = dict[str, tuple[bytes, Tags]]


class Violation(AssertionError):
    """Something was lost, is mixed, appeared from nowhere, or failed without a reason."""


@dataclass(eq=False)
class File:
    """One file as programs of its host see it.

    Attributes:
        names: paths at which it is or was; the last is where it is, unless it has lost it.
        now: what its content may be; one, unless a call failed.
        history: every content that it had, the newest last.
        coming: every content that a call under way has, or had, in hand.
        tags: every tag set that it may have.
        acked: index in `history` of what fsync or close said is safe; -1: nothing yet.
        dirty: whether something was written that no close or fsync has acknowledged.
        replaced_by: files that were written where this one may be, since a call failed that was to
            put it there: the call may have been done.
    """

    names: list[str]
    now: list[bytes] = field(default_factory=lambda: [b""])
    history: list[bytes] = field(default_factory=lambda: [b""])
    coming: list[bytes] = field(default_factory=list)
    tags: list[Tags] = field(default_factory=lambda: [{}])
    acked: int = -1
    dirty: bool = True
    may_be_deleted: bool = False
    is_gone: bool = False
    replaced_by: list["File"] = field(default_factory=list)

    @property
    def mark(self) -> int:
        """Where in the history the content is that it has now."""
        return len(self.history) - len(self.now)

    @contextmanager
    def change(self, change: Callable[[bytes], bytes]) -> Iterator[None]:
        """Change its content by a call; if that fails it is as it was, or as it is changed to.

        `change` is asked again when the call has returned: less may have been done of it.
        """
        before = self.now
        changed = [change(old) for old in before]
        self.coming += changed
        try:
            yield
        except TagfsError:
            self._become([*self.now, *changed])
            raise
        self._become([change(old) for old in before])

    def _become(self, contents: list[bytes]) -> None:
        self.now = list(dict.fromkeys(contents))
        self.history += self.now
        self.dirty = True

    def revert(self) -> None:
        """Be anything that it was since it was last acknowledged."""
        self._become(self.history[max(self.acked, 0) :])

    def acknowledge(self, mark: int) -> None:
        """A call has returned that makes what it was at a mark, or something newer, safe."""
        self.acked = max(self.acked, mark)
        if self.acked >= self.mark:
            self.dirty = False


def written(old: bytes, offset: int, data: bytes) -> bytes:
    """Return what a content is with some bytes written at an offset; -1: at its end."""
    if offset < 0:
        return old + data
    old = old.ljust(offset, b"\0")
    return old[:offset] + data + old[offset + len(data) :]


@dataclass
class Model:
    """All files of a bucket.

    Attributes:
        files: those that have names, by them.
        every: those, and those that had.
        unsure: paths of which a call failed: any file that was called so may be there.
        unanswered: paths where a large file may stay though it was renamed: nobody heard that its
            upload was done.
    """

    files: dict[str, File] = field(default_factory=dict)
    every: list[File] = field(default_factory=list)
    directories: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    _offered: Sequence[Offered] = ()

    def make(self, path: str) -> File:
        file = self.files[path] = File([path])
        self.every.append(file)
        return file

    def unlink(self, path: str) -> None:
        file = self.files.pop(path, None)
        if file is not None:
            file.is_gone = True

    def rename(self, old: str, new: str) -> None:
        self.unsure.discard(new)  # whatever was there is replaced
        file, target = self.files.pop(old, None), self.files.pop(new, None)
        if target is not None:
            target.is_gone = True
        if file is None:
            return
        if target is not None:
            file.tags = _inherited(file.tags, target.tags)
        self.files[new] = file
        file.names.append(new)

    def failed(self, *paths: str, deletes: str = "") -> None:
        """A call about these paths failed; the file at `deletes` may be gone by it."""
        self.unsure |= set(paths)
        here = [self.files[path] for path in paths if path in self.files]
        contents = [content for file in here for content in file.now]
        for file in here:
            file._become(contents)  # what is written by a handle may come on top of the other's
            file.names = list(dict.fromkeys([*file.names, *paths]))
            for other in here:
                file.tags += [tags for tags in other.tags if tags not in file.tags]
        if deletes in self.files:
            self.files[deletes].may_be_deleted = True

    def overwrites(self, file: File) -> None:
        """A file is being changed; which one it is, is not known where a call failed."""
        for path in self.unsure.intersection(file.names):
            for other in self.every:
                is_other = other is not file and path in other.names
                if is_other and file not in other.replaced_by:
                    other.replaced_by.append(file)

    # Judging

    def judge(self, found: Found, directories: set[str], offered: Sequence[Offered] = ()) -> None:
        """Compare what the service has, when all is over, with what it must have.

        `offered` is what lies on local disks and can be copied out.

        Raises:
            Violation
        """
        self._offered = offered
        for path, (data, tags) in found.items():
            self._judge_found(path, data, tags)
        for path, file in self.files.items():
            if path in self.unsure:
                self._judge_unsure(file, found)
            elif path not in found and file.acked >= 0 and not self._is_offered(file):
                raise Violation(f"{path} is lost: {shown(file.history[file.acked])}")
        for path in sorted(self.directories - self.unsure - directories):
            raise Violation(f"{path}/ is gone")

    def _judge_found(self, path: str, data: bytes, tags: Tags) -> None:
        if path in self.unsure or (path in self.unanswered and path not in self.files):
            if not any(path in file.names and data in file.history for file in self.every):
                raise Violation(f"{path}: {shown(data)} is nothing that was written there")
            return
        file = self.files.get(path)
        if file is None:
            raise Violation(f"{path} is there again, or still: {shown(data)}")
        allowed = file.history[max(file.acked, 0) :] if file.dirty else file.now
        if data not in allowed and not self._is_offered(file):
            raise Violation(f"{path}: {shown(data)}, not {' or '.join(map(shown, allowed[-3:]))}")
        if tags not in file.tags:
            raise Violation(f"{path}: tags {tags}, not {file.tags[-1]}")

    def _is_offered(self, file: File) -> bool:
        kept = file.history[max(file.acked, 0) :]
        return any(
            one.path in file.names and (one.data is None or one.data in kept)
            for one in self._offered
        )

    def _judge_unsure(self, file: File, found: Found) -> None:
        if file.acked < 0 or file.may_be_deleted:
            return
        kept = file.history[file.acked :]
        for other in file.replaced_by:
            kept += other.history[max(other.acked, 0) :]
        if not any(
            path in found and found[path][0] in kept for path in file.names
        ) and not self._is_offered(file):
            raise Violation(f"{' or '.join(file.names)}: {shown(kept[0])} is lost")


def _inherited(own: list[Tags], replaced: list[Tags]) -> list[Tags]:
    """Return what tags a file may have that was renamed over another."""
    found = [tags for tags in own if tags]
    if {} in own:
        found += [tags for tags in replaced if tags not in found]
    return found


def shown(data: bytes) -> str:
    return f"{data[:16]!r}{'...' * (len(data) > 16)} ({len(data)} bytes)"
