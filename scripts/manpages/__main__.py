"""Writes man pages, completions and docs/options.md: `python -m scripts.manpages [CHECKOUT]`."""

import sys
from pathlib import Path

from scripts.manpages.pages import mount_fuse_tagfs_8, tagfs_1, tagfs_mount_8
from tagfs.cli import main_group
from tagfs.manual.completion import FILES, script
from tagfs.manual.mount_options import markdown


def generated() -> dict[str, str]:
    """Return what each file of a checkout should hold, but for completions."""
    return {
        "tagfs/data/share/man/man1/tagfs.1": tagfs_1(main_group),
        "tagfs/data/share/man/man8/tagfs-mount.8": tagfs_mount_8(main_group),
        "tagfs/data/share/man/man8/mount.fuse.tagfs.8": mount_fuse_tagfs_8(),
        "docs/options.md": markdown(),
        f"tagfs/data/share/{FILES['bash']}": script(main_group, "bash"),
    }


def main(checkout: Path) -> None:
    """Write all of it."""
    files = generated()
    for shell, name in FILES.items():
        files[f"tagfs/data/share/{name}"] = script(main_group, shell)
    for name, text in files.items():
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.strip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
