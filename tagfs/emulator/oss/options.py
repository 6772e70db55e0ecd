"""The variants of OSS, chosen by `--option NAME=VALUE`.

index=current|hourly|building
                       what the index of a bucket (MetaQuery) has, if its owner has opened one:
                       all that is there; what was there when it was opened, or an hour later, two
                       hours later, ...; half of it, as it is still being built

and those of `tagfs.emulator.engine.demands`.
"""

from collections.abc import Iterable

from tagfs.emulator.engine.demands import KNOWN

_KNOWN = {**KNOWN, "index": ("current", "hourly", "building")}


def read_options(options: Iterable[str]) -> dict[str, str]:
    """Return what was chosen, defaults included.

    Raises:
        ValueError: there is no such option.
    """
    chosen = {name: values[0] for name, values in _KNOWN.items()}
    for option in options:
        name, _, value = option.partition("=")
        if value not in _KNOWN.get(name, ()):
            raise ValueError(f"unknown option {option!r}; see tagfs emulator --help-options")
        chosen[name] = value
    return chosen
