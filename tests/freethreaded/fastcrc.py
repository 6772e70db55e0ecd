"""Stands in for fastcrc where there is no build of it: the checksums that the program computes."""

import ctypes
import zlib

_lzma = ctypes.CDLL("liblzma.so.5")
_lzma.lzma_crc64.restype = ctypes.c_uint64
_lzma.lzma_crc64.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


class crc64:  # noqa: N801  (a module there)
    """Of 64 bits."""

    @staticmethod
    def xz(data: bytes | bytearray | memoryview, initial: int = 0) -> int:
        """Return the CRC-64/XZ of data that follow those of `initial`."""
        whole = bytes(data)
        found: int = _lzma.lzma_crc64(whole, len(whole), initial)
        return found


class crc32:  # noqa: N801
    """Of 32 bits."""

    @staticmethod
    def iso_hdlc(data: bytes | bytearray | memoryview, initial: int = 0) -> int:
        """Return the CRC-32 of data that follow those of `initial`."""
        return zlib.crc32(data, initial)
