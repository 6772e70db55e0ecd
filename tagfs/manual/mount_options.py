"""The table of mount options as people read it: in --help, and as docs/options.md."""

import textwrap

from tagfs.config.options import TOPICS, MountOption


def written(option: MountOption) -> str:
    """Return an option as it is written after -o, with its default."""
    if option.parse:
        return f"{option.name}={option.default or _placeholder(option.name)}"
    return option.name


def _placeholder(name: str) -> str:
    return "..." if name not in {"uid", "gid"} else "N"


def help_text(width: int = 78) -> str:
    """Return all options for --help, in paragraphs that click leaves alone."""
    blocks = []
    for topic in TOPICS:
        lines = [f"{topic.title} (-o):"]
        for option in topic.options:
            head = f"  {written(option)}"
            body = textwrap.wrap(option.described, width - 26, break_on_hyphens=False)
            if len(head) > 23:  # noqa: PLR2004  (the column where the text begins, less a space)
                lines.append(head)
                head = ""
            lines.append(f"{head:<24}{body[0]}")
            lines += [" " * 24 + line for line in body[1:]]
        blocks.append("\b\n" + "\n".join(lines))
    return (
        "\n\n".join(blocks)
        + "\n\nEvery other option of libfuse passes through. kernel_cache lets this host read what "
        "another one has replaced: leave it out. See tagfs-mount(8)."
    )


def markdown() -> str:
    """Return docs/options.md."""
    lines = ["# Mount options", "", "Made by `scripts/man` from `tagfs/config/options.py`.", ""]
    lines += [
        "Each may also be said by the environment (`TAGFS_TTL=5`) or in the settings file; `-o` wins.",
        "",
    ]
    for topic in TOPICS:
        lines += [f"## {topic.title}", "", "| option | default | meaning |", "|---|---|---|"]
        for option in topic.options:
            default = f"`{option.default}`" if option.default else ""
            lines.append(f"| `{option.name}` | {default} | {option.described} |")
        lines.append("")
    return "\n".join(
        [
            *lines,
            "Every other option of libfuse passes through; `suid` and `dev` change nothing. "
            "`kernel_cache` lets this host read old content of what another one has replaced, for as long "
            "as the kernel keeps it: leave it out, unless nobody changes the bucket. `auto_cache` does not.",
            "",
        ]
    )
