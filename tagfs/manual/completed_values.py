"""What completes a word of a command line: mountpoints, and the mount options after -o."""

import click
from click.shell_completion import CompletionItem


def complete_mounts(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the mounts of this host, as its table has them."""
    from tagfs.host.mount_table import present_mounts  # noqa: PLC0415  (their help needs none of it)

    paths = [mount.path for mount in present_mounts()]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_options(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return what may stand after -o: names, and values where there are few."""
    from tagfs.config.options import TABLE  # noqa: PLC0415  (their help needs none of it)

    before, comma, last = incomplete.rpartition(",")
    name, equals, value = last.partition("=")
    if equals:
        option = TABLE.get(name)
        found = [f"{name}={v}" for v in (option.values if option else ()) if v.startswith(value)]
        return [CompletionItem(before + comma + text) for text in found]
    return [
        CompletionItem(before + comma + text, help=described)
        for text, described in _names()
        if text.startswith(name)
    ]


def _names() -> list[tuple[str, str]]:
    from tagfs.config.fuse_options import FUSE_OPTIONS  # noqa: PLC0415
    from tagfs.config.options import TABLE  # noqa: PLC0415
    from tagfs.manual.mount_options import written  # noqa: PLC0415

    own = [(option.name + "=" * ("=" in written(option)), option.text) for option in TABLE.values()]
    others = [(name, "of libfuse") for name in sorted(FUSE_OPTIONS - set(TABLE))]
    return [*own, ("remount", "change a mount that runs"), *others]
