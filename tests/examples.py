"""How many examples a property is tried with: few in the inner loop, very many to look for bugs.

The same for rounds of a race.
"""

import os


def examples(usual: int) -> int:
    """Return the number that TAGFS_EXAMPLES says, `usual` without it."""
    return int(os.environ.get("TAGFS_EXAMPLES", usual))


STEADY = "TAGFS_EXAMPLES" not in os.environ
"""Whether the same examples are tried each time, as in the whole suite: a search is another run."""

FEW = 5
"""Examples of the inner loop, at most."""


def rounds(usual: int) -> int:
    """Return how often a race is run: a fifth of `usual` in the inner loop."""
    return usual if examples(usual) > FEW else usual // 5
