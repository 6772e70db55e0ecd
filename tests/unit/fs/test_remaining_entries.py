from collections.abc import Sequence

from tagfs.fs.tree.implicit_directories import MEMORY, RemainingEntries


class Directory:
    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = set(keys)
        self.looks = 0

    def look(self, _prefix: str) -> list[str]:
        self.looks += 1
        return sorted(self.keys)


def test_one_look_serves_for_all_that_it_showed() -> None:
    directory = Directory([f"d/{n}" for n in range(100)])
    remaining = RemainingEntries(directory.look)
    for number in reversed(range(1, 100)):
        assert remaining.any_besides("d/", f"d/{number}")
        directory.keys.discard(f"d/{number}")
    assert directory.looks == 1
    assert not remaining.any_besides("d/", "d/0")
    assert directory.looks == 2, "before the last one goes, it is looked at again"


def test_what_others_made_meanwhile_counts() -> None:
    directory = Directory(["d/a", "d/b"])
    remaining = RemainingEntries(directory.look)
    assert remaining.any_besides("d/", "d/a")
    directory.keys = {"d/b", "d/c"}
    assert remaining.any_besides("d/", "d/b")


def test_two_removals_at_once_do_not_count_on_one_another() -> None:
    directory = Directory(["d/a", "d/b"])
    remaining = RemainingEntries(directory.look)
    assert remaining.any_besides("d/", "d/a")  # which is still listed while it is being removed
    assert not remaining.any_besides("d/", "d/b")


def test_a_directory_is_removed_like_a_file() -> None:
    directory = Directory(["d/a/", "d/b"])
    remaining = RemainingEntries(directory.look)
    assert remaining.any_besides("d/", "d/b")
    assert not remaining.any_besides("d/", "d/a")


def test_what_was_seen_is_looked_at_again_when_it_is_old() -> None:
    now = 100.0
    directory = Directory(["d/a", "d/b", "d/c"])
    remaining = RemainingEntries(directory.look, lambda: now)
    assert remaining.any_besides("d/", "d/a")
    now += MEMORY - 1
    assert remaining.any_besides("d/", "d/b")
    assert directory.looks == 1
    directory.keys = {"d/b"}
    now += 2
    assert not remaining.any_besides("d/", "d/b"), "another host removed d/c"
    assert directory.looks == 2
