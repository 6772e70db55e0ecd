"""The command `tagfs demo`."""

from pathlib import Path

import click


@click.command("demo")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False), required=False)
def demo_command(mountpoint: Path | None) -> None:
    """Show a mounted bucket with tags, with no account: a local service, filled and mounted."""
    from tagfs.demo import run_demo  # noqa: PLC0415  (loads the client, which its help does without)

    run_demo(mountpoint)
