"""CRC-64 is the service's, and checksums of pieces make the checksum of the whole."""

import time

from hypothesis import given, strategies as st

from tagfs.store.wire.checksums import combine, combine_all, crc64

PIECES = st.lists(st.binary(max_size=200), max_size=6)


def test_values_that_the_vendor_publishes():
    assert crc64(b"123456789") == 11051210869376104954
    assert crc64(b"hello world") == 5981764153023615706
    assert crc64(b"") == 0


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_checksum_can_be_continued(a, b):
    assert crc64(b, crc64(a)) == crc64(a + b)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_two_checksums_combine(a, b):
    assert combine(crc64(a), crc64(b), len(b)) == crc64(a + b)


@given(PIECES)
def test_any_number_combines(pieces):
    parts = [(crc64(piece), len(piece)) for piece in pieces]
    assert combine_all(parts) == crc64(b"".join(pieces))


def test_combining_ten_thousand_parts_takes_no_time():
    began = time.process_time()
    combine_all([(12345, 8 * 1024**2)] * 10_000)
    assert time.process_time() - began < 2
