"""A thread that Python did not start is one thread to it, from its first callback to its end."""

import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable

import pytest

from tagfs.fuse import native_threads
from tagfs.fuse.native_threads import keep_thread

LIBC = ctypes.CDLL(None)
START = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

pytestmark = pytest.mark.skipif(native_threads._add is None, reason="needs the GNU C library")


class Kept:
    """What is local to a thread."""


def in_a_native_thread(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Make two callbacks, one after the other, in a thread of the C library's."""
    add = LIBC.__cxa_thread_atexit_impl

    def begin(_argument: object) -> None:
        first()
        add(second_callback, None, ctypes.cast(add, ctypes.c_void_p))  # the last one runs first

    begin_callback = START(begin)
    second_callback = EXIT(lambda _argument: second())
    thread = ctypes.c_ulong()
    assert LIBC.pthread_create(ctypes.byref(thread), None, begin_callback, None) == 0
    assert LIBC.pthread_join(thread, None) == 0


@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_local_to_a_thread_is_there_in_its_next_callback_if_it_is_kept(keeps) -> None:
    local = threading.local()
    seen = []
    made = []

    def first() -> None:
        if keeps:
            keep_thread()
            keep_thread()  # a second time is nothing new
        local.value = Kept()
        made.append(weakref.ref(local.value))

    def second() -> None:
        seen.append(hasattr(local, "value"))

    in_a_native_thread(first, second)
    gc.collect()
    assert seen == [keeps]
    assert made[0]() is None, "the thread is over, and what was local to it is not let go"


def test_many_threads_leave_nothing_behind() -> None:
    before = native_threads_known()
    for _ in range(50):
        in_a_native_thread(keep_thread, keep_thread)
    assert native_threads_known() <= before


def native_threads_known() -> int:
    return len(sys._current_frames())


def test_a_thread_of_pythons_stays_as_it_is() -> None:
    keep_thread()
    thread = threading.Thread(target=keep_thread)
    thread.start()
    thread.join()
    assert not thread.is_alive()
