"""Which keys a rule is about: patterns of paths, as .gitignore has them. Pure."""

import re
from dataclasses import dataclass
from typing import Self

from tagfs.globs import compile_glob


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern of paths in the bucket.

    One without a "/", but at its end, names things at any depth; any other is compared with the
    whole path. With a "/" at its end it names directories alone. What lies in a directory that it
    names is meant as well. `*` and `?` stop at "/", `**` does not.
    """

    text: str
    _itself: re.Pattern[str]
    _below: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            ValueError: it names nothing.
        """
        bare = text.strip().removesuffix("/")
        glob = bare.removeprefix("/")
        if not glob or "//" in glob:
            raise ValueError(text)
        anywhere = "/" not in bare
        core = ("(?:.*/)?" if anywhere else "") + compile_glob(glob).pattern
        return cls(text, re.compile(core, re.DOTALL), re.compile(core + "/.+", re.DOTALL))

    def matches(self, key: str, *, is_dir: bool) -> bool:
        """Say whether it means an object; `key` of a directory has no "/" at its end."""
        if self._below.fullmatch(key):
            return True
        itself = is_dir or not self.text.strip().endswith("/")
        return itself and self._itself.fullmatch(key) is not None
