"""Numbers of files: which file has which, while files are opened, renamed and removed."""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tagfs.fs.openfiles import inodes
from tagfs.fs.openfiles.inodes import KEPT, ROOT, Inodes, number_of


@dataclass(eq=False)
class File:
    """An open file, as far as numbers are concerned."""

    handles: set[int] = field(default_factory=lambda: {1})
    ino: int = 0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def numbers(clock: Clock) -> Inodes:
    return Inodes("prefix/", clock)


def opened(numbers: Inodes, path: str) -> File:
    file = File()
    numbers.opened(path, file)
    return file


def test_a_number_is_that_of_the_key(numbers: Inodes) -> None:
    assert numbers.at("/a/b") == number_of("prefix/a/b") == Inodes("").at("/prefix/a/b")
    assert numbers.at("/") == ROOT


def test_numbers_are_for_ever() -> None:
    """Another algorithm would make every backup read everything anew."""
    assert number_of("photos/cat.jpg") == 2982741790598409259


@pytest.mark.parametrize("name", ["", "a", "é", "\udcff", "x" * 1000])
def test_numbers_fit_everywhere(name: str) -> None:
    assert 2**33 <= number_of(name) < 2**63


def test_a_renamed_file_keeps_its_number_for_a_while(numbers: Inodes, clock: Clock) -> None:
    number = numbers.at("/a")
    numbers.moved(number, "/a", "/b", None)
    assert numbers.at("/b") == number
    assert numbers.at("/a") != number
    clock.now += KEPT + 1
    assert numbers.at("/b") == number_of("prefix/b")
    assert numbers.at("/a") == number


def test_an_open_file_keeps_its_number_for_ever(numbers: Inodes, clock: Clock) -> None:
    log = opened(numbers, "/log")
    numbers.moved(log.ino, "/log", "/log.1", log)
    new = opened(numbers, "/log")
    for _ in range(3):
        clock.now += KEPT + 1
        assert numbers.at("/log.1") == log.ino == number_of("prefix/log")
        assert numbers.at("/log") == new.ino != log.ino
    log.handles.clear()
    clock.now += KEPT + 1
    assert numbers.at("/log.1") == number_of("prefix/log.1")
    assert numbers.at("/log") == new.ino  # it is open
    new.handles.clear()
    clock.now += KEPT + 1
    assert numbers.at("/log") == number_of("prefix/log")


def test_a_file_without_a_name_keeps_its_number(numbers: Inodes, clock: Clock) -> None:
    gone = opened(numbers, "/f")
    numbers.lost_name(gone)
    clock.now += KEPT + 1
    assert numbers.at("/f") != gone.ino
    gone.handles.clear()
    clock.now += KEPT + 1
    assert numbers.at("/f") == gone.ino


def test_there_and_back(numbers: Inodes) -> None:
    for old, new in (("/a", "/b"), ("/b", "/a")):
        numbers.moved(numbers.at(old), old, new, None)
    assert numbers.at("/a") == number_of("prefix/a")
    assert numbers.at("/b") == number_of("prefix/b")


def test_back_over_another(numbers: Inodes) -> None:
    own = numbers.at("/a")
    numbers.moved(own, "/a", "/b", None)
    assert numbers.at("/a") != own  # another client made it anew
    numbers.moved(own, "/b", "/a", None)
    assert numbers.at("/a") == own


def test_two_change_places(numbers: Inodes) -> None:
    one, two = numbers.at("/1"), numbers.at("/2")
    for old, new in (("/1", "/t"), ("/2", "/1"), ("/t", "/2")):
        numbers.moved(numbers.at(old), old, new, None)
    assert (numbers.at("/1"), numbers.at("/2")) == (two, one)


def test_what_is_removed_is_forgotten(numbers: Inodes) -> None:
    numbers.moved(numbers.at("/a"), "/a", "/b", None)
    numbers.removed("/b")
    assert numbers.at("/b") == number_of("prefix/b")
    assert numbers.at("/a") == number_of("prefix/a")


def test_memory_is_bounded(numbers: Inodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inodes, "MANY", 100)
    held = opened(numbers, "/held")
    numbers.moved(held.ino, "/held", "/moved", held)
    for number in range(1000):
        numbers.moved(numbers.at(f"/{number}"), f"/{number}", f"/{number}.new", None)
    assert len(numbers._by_number) <= 100
    assert len(numbers._by_path) <= 100
    assert numbers.at("/moved") == held.ino
    assert numbers.at("/999.new") == number_of("prefix/999")


PATHS = st.sampled_from(["/a", "/b", "/c", "/d"])


class Numbers(RuleBasedStateMachine):
    """Whatever is done, no two files that are there have one number, and open ones keep theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.numbers = Inodes("", self.clock)
        self.open: dict[str, File] = {}
        self.nameless: list[File] = []
        self.there: set[str] = set()

    def number(self, path: str) -> int:
        return self.open[path].ino if path in self.open else self.numbers.at(path)

    @rule(path=PATHS)
    def make(self, path: str) -> None:
        self.there.add(path)

    @rule(path=PATHS)
    def open_one(self, path: str) -> None:
        self.there.add(path)
        if path not in self.open:
            self.open[path] = opened(self.numbers, path)

    @rule(path=PATHS)
    def close_one(self, path: str) -> None:
        if path in self.open:
            self.open.pop(path).handles.clear()

    @rule(path=PATHS)
    def unlink(self, path: str) -> None:
        if path not in self.there:
            return
        self.there.discard(path)
        self.lose(path)
        self.numbers.removed(path)

    @rule(old=PATHS, new=PATHS)
    def rename(self, old: str, new: str) -> None:
        if old not in self.there or old == new:
            return
        number = self.number(old)
        self.lose(new)
        if old in self.open:
            self.open[new] = self.open.pop(old)
        self.there.discard(old)
        self.there.add(new)
        self.numbers.moved(number, old, new, self.open.get(new))
        assert self.number(new) == number

    @rule(seconds=st.sampled_from([1.0, KEPT / 2, KEPT + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def close_nameless(self) -> None:
        for file in self.nameless:
            file.handles.clear()
        self.nameless.clear()

    def lose(self, path: str) -> None:
        if path in self.open:
            file = self.open.pop(path)
            self.numbers.lost_name(file)
            self.nameless.append(file)

    @invariant()
    def they_are_all_different(self) -> None:
        numbers = [self.number(path) for path in sorted(self.there)]
        numbers += [file.ino for file in self.nameless]
        assert len(set(numbers)) == len(numbers)


TestNumbers = Numbers.TestCase
