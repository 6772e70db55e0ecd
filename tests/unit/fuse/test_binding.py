"""Content goes between libfuse's buffers and the tree without copies, and never beyond them."""

import ctypes
import errno
from types import SimpleNamespace
from typing import Any

import pytest

from tagfs.fuse.binding import Callbacks

SIZE = 64


def session(operations: Any) -> Callbacks:
    made = Callbacks()
    made._call = operations
    return made


def handle(*, mapped: bool = False) -> Any:
    return SimpleNamespace(contents=SimpleNamespace(writepage=mapped, fh=7))


def filled(pattern: bytes) -> tuple[Any, Any]:
    memory = (ctypes.c_byte * SIZE).from_buffer_copy(pattern * SIZE)
    return memory, ctypes.cast(memory, ctypes.POINTER(ctypes.c_byte))


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_what_is_read_is_put_into_the_buffer_and_nothing_behind_it(kind) -> None:
    memory, pointer = filled(b".")
    asked = []

    def operations(*arguments: object) -> Any:
        asked.append(arguments)
        return kind(b"content")

    assert session(operations).read(b"/f", pointer, 16, 3, handle()) == 7
    assert asked == [("read", "/f", 16, 3, 7)]
    assert bytes(memory) == b"content" + b"." * (SIZE - 7)


def test_more_than_was_asked_for_is_refused_and_not_written_past_the_end() -> None:
    memory, pointer = filled(b".")
    with pytest.raises(ValueError, match="structure"):
        session(lambda *_: bytes(17)).read(b"/f", pointer, 16, 0, handle())
    assert bytes(memory) == b"." * SIZE


@pytest.mark.parametrize(("mapped", "name"), [(False, "write"), (True, "write_page")])
def test_a_write_sees_libfuses_own_memory(mapped, name) -> None:
    memory, pointer = filled(b"w")
    seen = []

    def operations(*arguments: Any) -> int:
        memory[0] = ord("W")
        seen.append((*arguments[:2], bytes(arguments[2]), *arguments[3:]))
        return len(arguments[2])

    assert session(operations).write(b"/f", pointer, 5, 3, handle(mapped=mapped)) == 5
    assert seen == [(name, "/f", b"Wwwww", 3, 7)]


def test_nobody_can_use_the_buffer_when_the_callback_is_over() -> None:
    _memory, pointer = filled(b"w")
    kept: list[memoryview] = []

    def operations(*arguments: Any) -> int:
        kept.append(arguments[2])
        raise OSError(5, "fails")

    with pytest.raises(OSError, match="fails"):
        session(operations).write(b"/f", pointer, 5, 0, handle())
    with pytest.raises(ValueError, match="released"):
        kept[0].tobytes()


NAMES = ["user.tag.a", "user.tag.\udcff"]
TEXT = b"user.tag.a\0user.tag.\xff\0"


@pytest.mark.parametrize(
    ("names", "size", "reported", "kept"),
    [
        (NAMES, 0, len(TEXT), b""),
        (NAMES, SIZE, len(TEXT), TEXT),
        (NAMES, len(TEXT), len(TEXT), TEXT),
        (NAMES, len(TEXT) - 1, -errno.ERANGE, b""),
        ([], 0, 0, b""),
        ([], SIZE, 0, b""),
    ],
)
def test_names_are_put_into_the_buffer_if_they_fit(names, size, reported, kept) -> None:
    """... and whoever answers knows how large it is."""
    memory, pointer = filled(b".")
    asked = []

    def operations(*arguments: object) -> Any:
        asked.append(arguments)
        return names

    assert session(operations).listxattr(b"/f", pointer if size else None, size) == reported
    assert asked == [("listxattr", "/f", size)]
    assert bytes(memory) == kept + b"." * (SIZE - len(kept))


def test_a_listing_stops_where_the_buffer_is_full() -> None:
    entries = [("a", 0o040000, 1), ("\udcff", 0o100000, 2), ("c", 0o100000, 3)]
    seen = []

    def fill(name: bytes, stat: Any) -> int:
        seen.append((name, stat.st_mode, stat.st_ino))
        return len(seen) == 2

    stat = SimpleNamespace()
    assert session(lambda *_: entries).fill_directory(b"/d", 7, stat, fill) == 0
    assert seen == [(b"a", 0o040000, 1), (b"\xff", 0o100000, 2)]


@pytest.mark.parametrize(
    ("size", "answer", "put"),
    [(0, 5, b""), (5, 5, b"value"), (SIZE, 5, b"value"), (4, -errno.ERANGE, b"")],
)
def test_a_value_is_put_whole_or_not_at_all(size, answer, put) -> None:
    memory, pointer = filled(b".")
    asked = []

    def operations(*arguments: object) -> bytes:
        asked.append(arguments)
        return b"value"

    name = "user.tag.é".encode()
    assert session(operations).getxattr(b"/f", name, pointer, size) == answer
    assert asked == [("getxattr", "/f", "user.tag.é")]
    assert bytes(memory) == put + b"." * (SIZE - len(put))


@pytest.mark.parametrize("name", ["capability", "selinux", "ima", ""])
def test_what_the_kernel_asks_at_every_write_is_answered_at_once(name: str) -> None:
    """G10."""
    _, pointer = filled(b".")
    name = f"security.{name}"
    assert session(None).getxattr(b"/f", name.encode(), pointer, 8) == -errno.ENODATA


def raising(error: BaseException) -> Any:
    def callback(*_arguments: object) -> None:
        raise error

    return callback


@pytest.mark.parametrize(
    ("callback", "answer"),
    [
        (lambda: None, 0),
        (lambda: 7, 7),
        (raising(OSError(errno.ENOENT, "gone")), -errno.ENOENT),
        (raising(OSError("no number")), -errno.EIO),
        (raising(OSError(-5, "a wrong number")), -errno.EIO),
    ],
)
def test_what_a_callback_returns_or_raises_is_an_answer_to_libfuse(callback, answer) -> None:
    assert session(None)._wrapper(callback) == answer


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), SystemExit(3)])
def test_nothing_else_gets_through_to_libfuse_and_the_log_has_it(error, caplog) -> None:
    assert session(None)._wrapper(raising(error)) == -errno.EIO
    assert [record.exc_info[1] for record in caplog.records] == [error]
    caplog.clear()
