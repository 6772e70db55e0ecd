"""The command line. Exit codes: 0 done, 1 the operation failed, 2 bad usage."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from tagfs import __version__
from tagfs.bulk.commands import tag_group
from tagfs.config.resolve import choose
from tagfs.config.settings import parse_url, split_options
from tagfs.demo import run_demo
from tagfs.doctor.command import doctor_command
from tagfs.errors import BadUsage, TagfsError
from tagfs.extras import EMULATOR, how_to_add
from tagfs.host.daemonize import run_in_background
from tagfs.host.hidden_arguments import hide_passwords
from tagfs.host.mountpoint import check_apart, check_mountpoint
from tagfs.host.remount import OF_TABLE, left_alone, remount
from tagfs.manual.completion import complete_options
from tagfs.manual.examples import add_examples
from tagfs.manual.mount_options import help_text
from tagfs.monitoring import logs
from tagfs.recovery.command import recover_command
from tagfs.recovery.startup_notice import notice
from tagfs.status.command import status_command
from tagfs.status.umount import unmount_all

EPILOG = """
Credentials come from credentials=FILE, from the variables and files of each
vendor's tools, or from the machine's role; see tagfs-mount(8):

\b
oss://  OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_SESSION_TOKEN
obs://  OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY, OBS_SECURITY_TOKEN
s3://   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
"""


@click.group(epilog=EPILOG)
@click.version_option(__version__, prog_name="tagfs")
def main_group() -> None:
    """Mount an object-storage bucket and edit its tags as extended attributes."""


@main_group.command("mount", epilog=help_text())
@click.argument("url")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False))
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="OPT[,OPT=VALUE...]",
    help="mount options",
    shell_complete=complete_options,
)
@click.option(
    "-f",
    "--foreground",
    is_flag=True,
    help="stay in the foreground, log to stderr unless there is a log_file",
)
def mount_command(url: str, mountpoint: Path, options: tuple[str, ...], foreground: bool) -> None:  # noqa: FBT001
    """Mount URL (oss://, obs:// or s3://bucket[/prefix]) on the directory MOUNTPOINT.

    \b
    tagfs mount oss://photos /mnt -o endpoint=oss-cn-hangzhou.aliyuncs.com
    tagfs mount obs://photos /mnt -o region=cn-north-4
    tagfs mount s3://photos /mnt -o region=eu-west-1
    """  # noqa: D301  (click reads the control character)
    given = split_options(options)
    if given.pop("remount", False):
        _remount(url, mountpoint, given)
        return
    chosen = choose(parse_url(url), given)
    directory = check_mountpoint(mountpoint, nonempty=bool(chosen.fuse_options.get("nonempty")))
    names = ("cache_dir", "log_file", "request_log", "credentials", "ca_bundle", "sse_c_key_file")
    check_apart(directory, {name: getattr(chosen, name) for name in names})
    from tagfs.session import serve  # noqa: PLC0415  (loads libfuse, which other commands do without)

    if foreground:
        if chosen.log_file is None:
            logs.to_stderr(chosen.log_level)
        else:
            logs.to_file(chosen.log_level, chosen.log_file)
        serve(chosen, directory, lambda: None, foreground=True)
        return

    def work(ready: object) -> None:
        logs.to_background(chosen.log_level, chosen.log_file, chosen.cache_dir / "tagfs.log")
        serve(chosen, directory, ready)  # type: ignore[arg-type]

    waiting = notice(chosen)
    if waiting:
        click.echo(f"tagfs: {waiting}", err=True)
    run_in_background(work)


def _remount(url: str, mountpoint: Path, given: Mapping[str, str | bool]) -> None:
    words = {name: value for name, value in given.items() if name not in OF_TABLE}
    choose(parse_url(url), words)  # what is mistyped is said
    if kept := left_alone(words):
        click.echo(f"tagfs: not changed by remount: {', '.join(kept)}", err=True)
    remount(str(parse_url(url)), mountpoint, list(words))


@main_group.command("umount")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False))
@click.option("-z", "--lazy", is_flag=True, help="detach now, finish when nobody uses it")
@click.option("--stale", is_flag=True, help="only if its server died; else do nothing")
def umount_command(mountpoint: Path, lazy: bool, stale: bool) -> None:  # noqa: FBT001
    """Take a mount off MOUNTPOINT, and wait until everything is uploaded.

    Exit status 1: it is in use, or something could not be uploaded, which is said.
    """
    unmount_all(mountpoint, lazy=lazy, stale=stale, say=lambda text: click.echo(text, err=True))


main_group.add_command(recover_command)
main_group.add_command(status_command)
main_group.add_command(doctor_command)


@main_group.command("demo")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False), required=False)
def demo_command(mountpoint: Path | None) -> None:
    """Show a mounted bucket with tags, with no account: a local service, filled and mounted."""
    run_demo(mountpoint)


@main_group.command(
    "emulator",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulator_command(arguments: tuple[str, ...]) -> None:
    """Run a local object-storage service (see `tagfs emulator --help`)."""
    try:
        from tagfs.emulator.__main__ import main as emulator_main  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise TagfsError(f"the emulator needs {how_to_add(EMULATOR)} ({error})") from None
    sys.exit(emulator_main(list(arguments)))


main_group.add_command(tag_group)
add_examples(main_group)


def main() -> None:
    """Run a command; a failure is one line on stderr and exit status 1, or 2 for a wrong option.

    For mount(8) that is 1 as well: 2 would be an error of the system to it.
    """
    hide_passwords()
    arguments = sys.argv[1:]
    usage = 2
    if Path(sys.argv[0]).name.startswith("mount."):
        arguments = as_helper(arguments)
    if arguments and "://" in arguments[0]:
        arguments.insert(0, "mount")  # as mount.fuse(8) calls it: tagfs URL MOUNTPOINT -o ...
        usage = 1
    try:
        main_group.main(arguments, prog_name="tagfs")
    except TagfsError as error:
        sys.stderr.write(f"tagfs: {error}\n")
        sys.exit(usage if isinstance(error, BadUsage) else 1)


def as_helper(arguments: list[str]) -> list[str]:
    """Return what mount(8) means when it calls us as /sbin/mount.fuse.tagfs.

    Its flags are others than ours: -s, -n and -v change nothing here, -t names the type, and -f
    is a rehearsal.
    """
    left = iter(arguments)
    kept = []
    for argument in left:
        if argument == "-t":
            next(left, None)
        elif argument == "-f":
            sys.exit(0)
        elif argument not in {"-s", "-n", "-v"}:
            kept.append(argument)
    return kept
