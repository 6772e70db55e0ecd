"""Which way a search is answered: by this host's index, by the service's, or by asking everything.

Only asking everything is complete as of now. An index will do where the user says how old an answer
may be: this host's, which knows its age; else the service's own, which does not, and is therefore
never taken unless an age was given or it was asked for by name.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from tagfs.bulk.command_run import CommandRun
from tagfs.bulk.search import Found, from_index, from_service, index_age, left_out, walk
from tagfs.bulk.targets import Target, below, read_target
from tagfs.catalogue.expression import Expression
from tagfs.errors import AccessDenied, SettingsError, TagfsError, Unsupported
from tagfs.store.tag_index import TagIndex
from tagfs.terminal.format import duration_text

Index = Literal["auto", "local", "service", "walk"]

LAGS: Final = "by the service's index, which may not know the latest changes yet"
PARTIAL: Final = "by the service's index, which is still being built: not all may be found"


class Answers:
    """Finds, target by target, and remembers where the answers come from.

    Args:
        max_age: how old an answer may be, in seconds; None: as of now.
    """

    def __init__(
        self, job: CommandRun, wanted: Expression, index: Index, max_age: float | None
    ) -> None:
        self._job = job
        self._wanted = wanted
        self._index = index
        self._max_age = max_age
        self._oldest: float | None = None
        self._unknown = 0
        self._notes: list[str] = []

    def all(self, targets: Iterable[str]) -> Iterator[Found]:
        """Yield what matches; a target that cannot be asked is reported."""
        for text in targets:
            try:
                yield from self._of(read_target(text, self._job.places))
            except TagfsError as error:
                self._job.report.fail(text, str(error))

    def origin(self) -> str:
        """Say where the answers come from, if not from the objects themselves as of now."""
        words = []
        if self._oldest is not None:
            words.append(f"as of {duration_text(self._oldest)} ago")
        if self._unknown:
            words.append(f"without {self._unknown} objects whose tags could not be read")
        return "; ".join([*words, *dict.fromkeys(self._notes)])

    def _of(self, target: Target) -> Iterator[Found]:
        match self._index:
            case "walk":
                return walk(self._job, target, self._wanted)
            case "local":
                return self._by_age(target, self._local_age(target))
            case "service":
                return self._by_service(target, self._ask_service(target))
            case "auto":
                return self._by_choice(target)

    def _by_choice(self, target: Target) -> Iterator[Found]:
        if self._max_age is None:
            return walk(self._job, target, self._wanted)
        age = index_age(target)
        if age is not None and age <= self._max_age:
            return self._by_age(target, age)
        try:
            return self._by_service(target, self._ask_service(target, complete=True))
        except (AccessDenied, SettingsError, Unsupported) as reason:
            self._notes.append(f"every object was asked: {reason}")
            return walk(self._job, target, self._wanted)

    def _by_age(self, target: Target, age: float) -> Iterator[Found]:
        self._oldest = max(age, self._oldest or 0.0)
        self._unknown += left_out(target)
        return from_index(self._job, target, self._wanted)

    def _local_age(self, target: Target) -> float:
        """Return the age of this host's index.

        Raises:
            SettingsError: it is too old, or there is none.
        """
        age = index_age(target)
        if age is None and target.place.no_catalogue:
            raise SettingsError(f"there is no index: {target.place.no_catalogue}")
        if age is None:
            raise SettingsError("there is no index of it: run tagfs index")
        if self._max_age is not None and age > self._max_age:
            raise SettingsError(f"its index is {duration_text(age)} old: run tagfs index")
        return age

    def _ask_service(self, target: Target, *, complete: bool = False) -> TagIndex:
        """Return the service's index, if it can answer; if it is to be `complete`, as a whole.

        Raises:
            SettingsError: it cannot.
            AccessDenied: it may not be asked.
        """
        index = target.place.index
        if below(target) is None:
            raise SettingsError("an index is asked for a directory or a bucket")
        if index is None:
            raise SettingsError("the service has no index of tags")
        state = index.state()
        if state is None:
            raise SettingsError("the bucket has no index (MetaQuery): its owner can open one")
        if not state.answers or (complete and not state.complete):
            raise SettingsError(f"the service's index is not ready: {state.state}")
        self._notes.append(LAGS if state.complete else PARTIAL)
        return index

    def _by_service(self, target: Target, index: TagIndex) -> Iterator[Found]:
        return from_service(self._job, target, index, self._wanted)
