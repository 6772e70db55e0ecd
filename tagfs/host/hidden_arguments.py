"""What ps(1) shows of this process: its arguments, without the password of a proxy."""

import re
from pathlib import Path
from typing import Final

_PASSWORD: Final = re.compile(rb"(?i:proxy)=[^,\0]*?[^:/,\0]:(?!//)([^,\0]*)@")
_ARG_START: Final = 45  # field 48 of proc(5), counted from the state behind the name


def passwords_in(arguments: bytes) -> list[tuple[int, int]]:
    """Return where passwords of proxies begin and end in arguments that NUL bytes end."""
    return [found.span(1) for found in _PASSWORD.finditer(arguments)]


def hide_passwords() -> None:
    """Overwrite the passwords in what the kernel shows of this process's arguments.

    Whoever looked before could read them: a file or the environment keeps them from everybody.
    """
    spans = passwords_in(Path("/proc/self/cmdline").read_bytes())
    if not spans:
        return
    import ctypes  # noqa: PLC0415  (nobody else needs it who only looks)

    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    start = int(fields.rpartition(")")[2].split()[_ARG_START])
    for begin, end in spans:
        ctypes.memset(start + begin, ord("*"), end - begin)
