"""What stands in for fastcrc computes what it does."""

import importlib.util
from pathlib import Path

import fastcrc
import pytest

SPEC = importlib.util.spec_from_file_location("stand_in", Path(__file__).with_name("fastcrc.py"))
assert SPEC is not None
assert SPEC.loader is not None
stand_in = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(stand_in)


@pytest.mark.parametrize("initial", [0, 1, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_checksums_are_the_same(kind: type, initial: int) -> None:
    data = kind(bytes(range(256)) * 5)
    assert stand_in.crc64.xz(data, initial) == fastcrc.crc64.xz(data, initial)
    assert stand_in.crc32.iso_hdlc(data, initial) == fastcrc.crc32.iso_hdlc(data, initial)
    assert stand_in.crc64.xz(b"123456789") == 0x995DC9BBDF1939FA
