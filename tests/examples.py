"""How many examples a property is tried with: few in the inner loop, very many to look for bugs."""

import os


def examples(usual: int) -> int:
    """Return the number that TAGFS_EXAMPLES says, `usual` without it."""
    return int(os.environ.get("TAGFS_EXAMPLES", usual))
