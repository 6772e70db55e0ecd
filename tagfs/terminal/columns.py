"""Columns of text that fit a terminal."""

import unicodedata
from collections.abc import Sequence

_GAP = 2  # blanks between columns


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def fit(
    rows: Sequence[Sequence[str]], width: int | None, dispensable: Sequence[int]
) -> list[int] | None:
    """Return which columns of `rows` fit into `width`, None if not even what must stay does.

    `dispensable`: columns that may be left out, the first to go first. No width fits all.
    """
    kept = list(range(max(map(len, rows))))
    for dropped in (None, *dispensable):
        if dropped is not None:
            kept.remove(dropped)
        if width is None or _GAP * (len(kept) - 1) + sum(widths(rows, kept)) <= width:
            return kept
    return None


def widths(rows: Sequence[Sequence[str]], kept: Sequence[int]) -> list[int]:
    """Return the width of each of the columns `kept`; a row may be short of cells."""
    return [max(cells(row[i]) for row in rows if i < len(row)) for i in kept]


def line(row: Sequence[str], kept: Sequence[int], wide: Sequence[int], *, left: int) -> str:
    """Return a row; the first `left` columns begin at the left, the others end at the right."""
    parts = []
    for i, most in zip(kept, wide, strict=True):
        text = row[i] if i < len(row) else ""
        pad = " " * (most - cells(text))
        parts.append(text + pad if i < left else pad + text)
    return (" " * _GAP).join(parts).rstrip()
