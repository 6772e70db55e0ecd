"""The variants of OSS, chosen by `--option NAME=VALUE`: see `tagfs.emulator.engine.demands`."""

from collections.abc import Iterable

from tagfs.emulator.engine.demands import KNOWN


def read_options(options: Iterable[str]) -> dict[str, str]:
    """Return what was chosen, defaults included.

    Raises:
        ValueError: there is no such option.
    """
    chosen = {name: values[0] for name, values in KNOWN.items()}
    for option in options:
        name, _, value = option.partition("=")
        if value not in KNOWN.get(name, ()):
            raise ValueError(f"unknown option {option!r}; see tagfs emulator --help-options")
        chosen[name] = value
    return chosen
