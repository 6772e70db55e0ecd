"""Locks by key: whole for one key, free for others, gone when nobody needs them."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagfs.store.key_locks import KeyLocks


def test_one_key_is_held_by_one_thread():
    locks, total = KeyLocks(), {"k": 0}

    def add(_):
        with locks.hold("k"):
            seen = total["k"]
            threading.Event().wait(0.001)
            total["k"] = seen + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert total["k"] == 40
    assert len(locks) == 0


def test_other_keys_are_free():
    locks = KeyLocks()

    def take(key):
        with locks.hold(key):
            return key

    with locks.hold("a"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(take, "b").result(timeout=5) == "b"


def test_a_holder_may_ask_again():
    locks = KeyLocks()
    with locks.hold("a", "b"), locks.hold("b"), locks.hold("a"):
        assert len(locks) == 2
    assert len(locks) == 0


def test_two_keys_in_either_order_do_not_dead_lock():
    locks = KeyLocks()

    def both(order):
        for _ in range(3000):
            with locks.hold(*order):
                pass

    threads = [
        threading.Thread(target=both, args=(order,), daemon=True)
        for order in (("a", "b"), ("b", "a"))
    ]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)


def test_a_failure_frees_the_key():
    locks = KeyLocks()

    def fail():
        with locks.hold("a"):
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert len(locks) == 0
