"""The variants of the OBS service, chosen by `--option NAME=VALUE`.

tag_encoding=decode|keep   names in tag documents are percent-decoded when they are stored
                           (default), or kept as they came: the manual leaves it open
tag_limits=strict|wide     bucket tags: 10 of 36/43 characters as the seed says (default), or
                           20 of 128/255
object_tag_limits=wide|strict  object tags: 128/255 characters (default), or 36/43
symlinks=on|off|ignored    off: `?symlink` is 405; ignored: it is not known, and PUT makes an
                           empty object (default on)
object_tags=on|off         off: object tagging is not enabled, 405 (default on)
append=on|off              off: AppendObject is 405 (default on)
rename_over=on|off         off: a rename to a name that is taken is 409 (default on)
posix=BUCKET               make this bucket a parallel file system (may be repeated)

and those of `tagfs.emulator.engine.demands`.
"""

from collections.abc import Iterable

from tagfs.emulator.engine.demands import KNOWN

_KNOWN = {
    **KNOWN,
    "tag_encoding": ("decode", "keep"),
    "tag_limits": ("strict", "wide"),
    "object_tag_limits": ("wide", "strict"),
    "symlinks": ("on", "off", "ignored"),
    "object_tags": ("on", "off"),
    "append": ("on", "off"),
    "rename_over": ("on", "off"),
}


def read_options(options: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return what was chosen, defaults included, and the buckets that are file systems.

    Raises:
        ValueError: there is no such option.
    """
    chosen = {name: values[0] for name, values in _KNOWN.items()}
    posix = []
    for option in options:
        name, _, value = option.partition("=")
        if name == "posix" and value:
            posix.append(value)
        elif value in _KNOWN.get(name, ()):
            chosen[name] = value
        else:
            raise ValueError(f"unknown option {option!r}; see tagfs emulator --help-options")
    return chosen, posix
