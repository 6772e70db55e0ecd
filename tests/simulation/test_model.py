"""The judge of the simulation: what it has to accept, and what it must not."""

import pytest

from tests.simulation.model import File, Model, Violation


@pytest.fixture
def model() -> Model:
    return Model()


def saved(model: Model, path: str, data: bytes) -> File:
    file = model.make(path)
    file.now, file.history = [data], [b"", data]
    file.acknowledge(file.mark)
    return file


class TestARenameWhoseLastAnswerWasLost:
    """It failed, but may have been done: then the next program writes what was renamed."""

    @pytest.fixture(autouse=True)
    def _failed(self, model: Model) -> None:
        self.moved = saved(model, "/old", b"moved")
        self.target = saved(model, "/new", b"target")
        model.failed("/old", "/new", deletes="/new")

    def test_one_of_its_names_has_it(self, model: Model) -> None:
        model.judge({"/old": (b"moved", {}), "/new": (b"target", {})}, set())
        model.judge({"/new": (b"moved", {})}, set())

    def test_it_is_not_nowhere(self, model: Model) -> None:
        with pytest.raises(Violation, match="is lost"):
            model.judge({}, set())

    def test_another_program_writes_over_it(self, model: Model) -> None:
        model.overwrites(self.target)
        with self.target.change(lambda _old: b"written"):
            pass
        self.target.acknowledge(self.target.mark)
        model.judge({"/new": (b"written", {})}, set())

    def test_then_what_was_written_must_be_there(self, model: Model) -> None:
        model.overwrites(self.target)
        with self.target.change(lambda _old: b"written"):
            pass
        self.target.acknowledge(self.target.mark)
        with pytest.raises(Violation, match="is lost"):
            model.judge({}, set())
