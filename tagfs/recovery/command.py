"""The command `tagfs recover`: exit status 0 if nothing is left that was to be recovered."""

import sys
from pathlib import Path

import click

from tagfs.terminal.loading import Loading


@click.command("recover")
@click.argument("cache_dir", type=click.Path(path_type=Path), required=False)
@click.option("--list", "listing", is_flag=True, help="show what there is, and change nothing")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="copy out everything, with a JSON file beside each that holds tags and metadata",
)
@click.option(
    "--discard", is_flag=True, help="with --export: delete here what was copied out whole"
)
@click.option("--force", is_flag=True, help="replace objects that are not what they were")
@click.option("-o", "options", multiple=True, metavar="OPT=VALUE", help="other mount options")
def recover_command(
    cache_dir: Path | None,
    listing: bool,  # noqa: FBT001
    target: Path | None,
    discard: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    options: tuple[str, ...],
) -> None:
    """Finish what mounts that ended early had staged in CACHE_DIR.

    CACHE_DIR is the mounts' option cache_dir. A file is uploaded with its metadata and tags if
    its fsync or close had begun and its object is still the version that the file derives from.
    What another has replaced meanwhile is left alone and reported.
    """
    if (listing and (target or force)) or (target and force):
        raise click.UsageError("--list, --export and --force exclude one another")
    if discard and not target:
        raise click.UsageError("--discard deletes what was exported: it needs --export")
    # Here, because a mount does without a progress bar and all that finishing needs.
    with Loading():
        from tagfs.config.resolve import check_usage, chosen_cache_dir  # noqa: PLC0415
        from tagfs.config.settings import split_options  # noqa: PLC0415
        from tagfs.recovery import export, listing as lists, recover  # noqa: PLC0415
        from tagfs.recovery.export import Exporter  # noqa: PLC0415
        from tagfs.recovery.output import Output  # noqa: PLC0415
        from tagfs.recovery.run import RecoveryRun  # noqa: PLC0415
        from tagfs.terminal.format import count_text  # noqa: PLC0415

    chosen = split_options(options)
    check_usage(chosen)
    directory = cache_dir or chosen_cache_dir(chosen)
    with Output() as output:
        sweep = RecoveryRun(directory, chosen, output)
        if listing:
            lists.show(sweep)
        elif target:
            export.export(sweep, Exporter(target), discard=discard)
        else:
            recover.finish(sweep, force=force)
        if not sweep.counts:
            output.say(f"nothing to recover in {directory}")
        elif not listing:
            output.say(", ".join(f"{n} {kind}" for kind, n in sorted(sweep.counts.items())))
        else:
            output.say(count_text(sweep.counts["file"], "file") + " in all")
    if sweep.left:
        sys.exit(1)
