"""CRC-64/XZ, the checksum that OSS calls `crc64ecma`, and the arithmetic that joins two of them.

A CRC is a polynomial over GF(2) modulo the generator, so appending n bytes multiplies what came
before by x^(8n). That makes the checksum of a multipart object a matter of its parts' checksums and
lengths: no byte is read again.
"""

from functools import lru_cache
from typing import Final

from fastcrc.crc64 import xz


class Combiner:
    """Joins the checksums of a kind of CRC, by its generator, bits reversed: the highest is x^0."""

    def __init__(self, generator: int, bits: int) -> None:
        self._generator = generator
        self._one = 1 << (bits - 1)
        self._mask = (1 << bits) - 1
        self._shift = lru_cache(maxsize=256)(self._shifted)

    def __call__(self, first: int, second: int, second_length: int) -> int:
        """Return the checksum of two strings joined, from theirs and the second one's length."""
        if second_length == 0:
            return first
        return self._multiply(first, self._shift(second_length)) ^ second

    def _shifted(self, length: int) -> int:
        """Return x^(8 * length); parts of one upload share a length, hence the cache."""
        result, power, bits = self._one, self._one >> 1, length * 8
        while bits:
            if bits & 1:
                result = self._multiply(result, power)
            power = self._multiply(power, power)
            bits >>= 1
        return result

    def _multiply(self, a: int, b: int) -> int:
        product = 0
        while a:
            if a & self._one:
                product ^= b
            a = (a << 1) & self._mask
            b = (b >> 1) ^ self._generator if b & 1 else b >> 1
        return product


crc64_combine: Final = Combiner(0xC96C5795D7870F42, 64)  # ECMA-182


def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the checksum of the bytes that gave `previous`, followed by `data`."""
    return xz(data, previous)


def crc64_of_zeros(length: int) -> int:
    """Return the checksum of so many zero bytes, in the time that their number takes to write."""
    result, block, size = 0, crc64(b"\0"), 1
    while length:
        if length & 1:
            result = crc64_combine(result, block, size)
        block = crc64_combine(block, block, size)
        size *= 2
        length >>= 1
    return result
