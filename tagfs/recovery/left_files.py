"""What is found in a staging directory: values."""

from dataclasses import dataclass, field

from tagfs.fs.content.journal_entries import FileEntry, Phase, RenameEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedFile:
    """A staged file that was left.

    Attributes:
        token: its name without the suffix.
        entry: what it is for; None when nothing was noted of it.
        disk_size: bytes of the local file.
        when_ns: when it was noted, or changed last.
        settled: the service has all of it.
    """

    token: str
    entry: FileEntry | None
    disk_size: int
    when_ns: int
    settled: bool = False

    @property
    def is_promised(self) -> bool:
        """Whether its fsync or close had begun."""
        return self.entry is not None and self.entry.phase is Phase.COMMITTING


@dataclass(frozen=True, slots=True)
class InterruptedRename:
    """A directory rename that was left half done."""

    token: str
    entry: RenameEntry


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a staging directory that cannot be acted on.

    Attributes:
        token: of the staged file that it is about; "" when it is about none.
    """

    name: str
    reason: str
    token: str = ""


@dataclass(slots=True)
class Contents:
    """All that one directory holds."""

    files: list[AbandonedFile] = field(default_factory=list)
    renames: list[InterruptedRename] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    """Files of annotations that an object is to get back."""
    problems: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.files or self.renames or self.annotations or self.problems)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there that a user could want."""
        left = self.renames or self.annotations or self.problems
        return not left and all(f.settled for f in self.files)
