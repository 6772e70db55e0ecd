"""The command `tagfs demo`."""

from pathlib import Path

import click

from tagfs.terminal.loading import Loading


@click.command("demo")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False), required=False)
@click.option(
    "--service",
    type=click.Choice(["oss", "obs", "s3"]),
    default="oss",
    help="which service to show",
)
def demo_command(mountpoint: Path | None, service: str) -> None:
    """Show a mounted bucket with tags, with no account: a local service, filled and mounted."""
    with Loading():
        from tagfs.demo import SERVICES, run_demo  # noqa: PLC0415  (loads the client)

    run_demo(mountpoint, SERVICES[service])
