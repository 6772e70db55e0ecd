from collections.abc import Sequence

from tagfs.fs.tree.implicit_directories import RemainingEntries


class Directory:
    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = set(keys)
        self.looks = 0

    def look(self, _prefix: str) -> list[str]:
        self.looks += 1
        return sorted(self.keys)


def test_one_look_serves_for_all_that_it_showed() -> None:
    directory = Directory([f"d/{n}" for n in range(100)])
    survivors = RemainingEntries(directory.look)
    for number in reversed(range(1, 100)):
        assert survivors.any_besides("d/", f"d/{number}")
        directory.keys.discard(f"d/{number}")
    assert directory.looks == 1
    assert not survivors.any_besides("d/", "d/0")
    assert directory.looks == 2, "before the last one goes, it is looked at again"


def test_what_others_made_meanwhile_counts() -> None:
    directory = Directory(["d/a", "d/b"])
    survivors = RemainingEntries(directory.look)
    assert survivors.any_besides("d/", "d/a")
    directory.keys = {"d/b", "d/c"}
    assert survivors.any_besides("d/", "d/b")


def test_two_removals_at_once_do_not_count_on_one_another() -> None:
    directory = Directory(["d/a", "d/b"])
    survivors = RemainingEntries(directory.look)
    assert survivors.any_besides("d/", "d/a")  # which is still listed while it is being removed
    assert not survivors.any_besides("d/", "d/b")


def test_a_directory_is_removed_like_a_file() -> None:
    directory = Directory(["d/a/", "d/b"])
    survivors = RemainingEntries(directory.look)
    assert survivors.any_besides("d/", "d/b")
    assert not survivors.any_besides("d/", "d/a")
