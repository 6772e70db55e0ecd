import random

import pytest
from hypothesis import given, strategies as st

from tagfs.fs.prefetch.directory_walk import (
    EAGER_WINDOW,
    FIRST_WINDOW,
    FRESH,
    MAX_UNLISTED,
    MAX_WINDOW,
    SIBLINGS,
    ListedDirectory,
    UnlistedLookups,
    WalkStarts,
)


def listed(count: int) -> ListedDirectory:
    directory = ListedDirectory(0.0)
    for number in range(count):
        directory.add(str(number), 0)
    return directory


def test_the_first_question_fetches_nothing() -> None:
    assert list(listed(100).step("stat", 0, 0.0)) == []
    assert list(listed(100).step("stat", 7, 0.0)) == []


def test_the_second_one_in_order_begins_to_go_ahead() -> None:
    directory = listed(100)
    directory.step("stat", 0, 0.0)
    assert list(directory.step("stat", 1, 0.0)) == list(range(2, 2 + FIRST_WINDOW))


def test_a_walk_asks_for_every_entry_once_and_in_order() -> None:
    directory = listed(2000)
    asked = [i for index in range(2000) for i in directory.step("stat", index, 0.0)]
    assert asked == list(range(2, 2000))


def test_a_jump_stops_and_begins_anew() -> None:
    directory = listed(1000)
    for index in range(10):
        directory.step("stat", index, 0.0)
    assert directory.is_walking("stat", 10)
    assert list(directory.step("stat", 500, 0.0)) == []
    assert not directory.is_walking("stat", 501)
    assert list(directory.step("stat", 3, 0.0)) == []


def pages(directory: ListedDirectory, size: int, start: int, stop: int) -> list[int]:
    asked = range(start, stop, size)
    return [i for index in asked for i in directory.step_page("stat", index, 0.0)]


@pytest.mark.parametrize("size", [1, 10, 25])
def test_of_a_walk_page_by_page_every_entry_is_asked_for_once_and_before_it_is_needed(
    size: int,
) -> None:
    directory = listed(2000)
    asked: list[int] = []
    for index in range(23, 2000, size):
        asked += directory.step_page("stat", index, 0.0)
        assert index + min(size, 2000 - index) - 1 <= asked[-1]
        assert asked[-1] - index <= MAX_WINDOW
    assert asked == list(range(23, 2000))


def test_entries_of_a_page_that_are_asked_for_singly_go_on_with_its_walk() -> None:
    directory = listed(1000)
    pages(directory, 25, 23, 120)
    assert [list(directory.step("stat", at, 0.0)) for at in (99, 103, 122)] == [[], [], []]
    assert pages(directory, 25, 123, 1000)[-1] == 999


def test_a_page_goes_on_with_the_walk_of_the_entries_before_it() -> None:
    directory = listed(100)
    ahead = [i for index in range(23) for i in directory.step("stat", index, 0.0)]
    assert ahead[-1] > 48
    assert list(directory.step_page("stat", 23, 0.0)) == []
    assert next(iter(directory.step_page("stat", 48, 0.0))) == ahead[-1] + 1


def test_asking_the_same_entry_again_is_no_walk() -> None:
    directory = listed(100)
    for _ in range(5):
        assert list(directory.step("stat", 3, 0.0)) == []


def test_kinds_of_questions_do_not_disturb_one_another() -> None:
    directory = listed(100)
    directory.step("stat", 0, 0.0)
    directory.step("tags", 50, 0.0)
    assert len(directory.step("stat", 1, 0.0)) == FIRST_WINDOW


def test_a_slow_walk_goes_no_further_ahead_than_it_will_reach() -> None:
    """Content fetched ahead may not be older than a second when it is read."""
    directory = listed(1000)
    for index in range(100):
        due = directory.step("content", index, index * 0.2, within=0.6)
        assert len(due) <= 3


@given(st.lists(st.integers(0, 99), max_size=60))
def test_whatever_is_asked_the_window_stays_bounded(indexes: list[int]) -> None:
    directory = listed(100)
    for now, index in enumerate(indexes):
        due = directory.step("stat", index, float(now))
        assert len(due) <= MAX_WINDOW
        assert all(index < i < 100 for i in due)


def test_after_a_listing_the_first_entry_begins_a_walk() -> None:
    for what in ("stat", "tags"):
        due = WalkStarts().step(listed(100), what, 0, 0.0)
        assert list(due) == list(range(1, 1 + EAGER_WINDOW))
    assert list(WalkStarts().step(listed(100), "content", 0, 0.0)) == []


def test_long_after_a_listing_the_first_entry_begins_none() -> None:
    assert WalkStarts().step(listed(100), "stat", 0, FRESH - 0.1)
    assert not WalkStarts().step(listed(100), "stat", 0, FRESH)


def test_whoever_takes_the_first_entry_alone_costs_nothing_the_next_time() -> None:
    starts = WalkStarts()
    assert starts.step(listed(100), "stat", 0, 0.0)
    for _ in range(3):
        assert not starts.step(listed(100), "stat", 0, 0.0)
    assert starts.step(listed(100), "tags", 0, 0.0)  # another kind of question


def test_whoever_went_on_is_believed_again() -> None:
    starts = WalkStarts()
    starts.step(listed(100), "stat", 0, 0.0)
    second = listed(100)
    assert not starts.step(second, "stat", 0, 0.0)
    starts.step(second, "stat", 1, 0.0)
    assert starts.step(listed(100), "stat", 0, 0.0)


def test_names_are_read_after_some_were_looked_at() -> None:
    lookups = UnlistedLookups()
    due = [lookups.record("/d", str(number)) for number in range(2 * SIBLINGS)]
    assert due == ([False] * (SIBLINGS - 1) + [True]) * 2


def test_one_name_over_and_over_counts_once() -> None:
    lookups = UnlistedLookups()
    assert not any(lookups.record("/d", "f") for _ in range(10 * SIBLINGS))


def test_directories_are_counted_apart_and_the_oldest_are_dropped() -> None:
    lookups = UnlistedLookups()
    for name in "ab"[: SIBLINGS - 1]:
        lookups.record("/first", name)
    for number in range(MAX_UNLISTED):
        assert not lookups.record(f"/{number}", "a")
    assert not lookups.record("/first", "c")


class TestOrderOfInodes:
    """cp(1) sorts what it has listed by inode number."""

    NUMBERS = tuple(random.Random(number).randrange(2**63) for number in range(100))

    @pytest.fixture
    def directory(self) -> ListedDirectory:
        directory = ListedDirectory(0.0)
        for at, number in enumerate(self.NUMBERS):
            directory.add(f"{at:03}", 0, number)
        return directory

    def walk(self, directory: ListedDirectory, names: list[str]) -> list[str]:
        """Return what is fetched ahead for a program that asks for these, one after the other."""
        ahead = []
        for name in names:
            due = directory.step("content", directory.follow(name), 0.0)
            ahead += [directory.names[at] for at in due]
        return ahead

    def test_a_walk_in_it_is_followed(self, directory: ListedDirectory) -> None:
        names = sorted(directory.names, key=lambda name: self.NUMBERS[int(name)])
        ahead = self.walk(directory, names)
        assert ahead[0] == names[3]
        assert ahead == names[-len(ahead) :], "each of the others, once"
        assert len(ahead) >= 95

    def test_one_in_listing_order_after_it_too(self, directory: ListedDirectory) -> None:
        names = list(directory.names)
        self.walk(directory, sorted(names, key=lambda name: self.NUMBERS[int(name)]))
        ahead = self.walk(directory, names)
        assert len(ahead) >= 90
        assert ahead == names[-len(ahead) :]

    def test_looks_here_and_there_are_no_walk(self, directory: ListedDirectory) -> None:
        assert self.walk(directory, ["040", "003", "020", "055", "010"]) == []

    def test_jumps_in_a_small_directory_are_no_walk(self) -> None:
        directory = ListedDirectory(0.0)
        for at in range(10):
            directory.add(str(at), 0)
        assert self.walk(directory, ["7", "3", "9", "1"]) == []
