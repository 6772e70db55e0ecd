"""`python -m tagfs.emulator`: an emulator from the command line, without the rest of tagfs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tagfs.emulator import faults
from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.engine import demands
from tagfs.emulator.obs import options as obs_options
from tagfs.emulator.s3 import foreign, options as s3_options

ABOUT = """\
A local object-storage service, as a stand-in for OSS, OBS or S3: it verifies signatures and keeps
objects, tags and uploads in a directory. It is for tests and trials, not for data of value."""

EPILOG = """\
The key pair that it accepts is "emulator" and "emulator-secret". In one terminal:

  tagfs emulator --service s3 --listen 127.0.0.1:9000 --data /tmp/data --bucket photos

and in another one:

  export AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator-secret
  tagfs mount s3://photos /mnt -o endpoint=http://127.0.0.1:9000

(OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET for oss://, OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY
for obs://.) It prints "listening on http://HOST:PORT" when it is ready."""


class _Text(argparse.Action):
    """Prints a text and ends, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print what the option is about."""
        sys.stdout.write(f"{self.const}\n")
        parser.exit()


def _options_text() -> str:
    """Return what the modules say of the options that they read, without names of modules."""
    texts = (module.__doc__ or "" for module in (demands, obs_options, s3_options, foreign))
    lines = "\n".join(texts).splitlines()
    return "\n".join(line for line in lines if "tagfs.emulator" not in line)


def make_parser(prog: str = "tagfs emulator") -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{prog} [OPTIONS] --data DIR --bucket NAME",
    )
    add = parser.add_argument
    add("--service", default="oss", choices=["oss", "obs", "s3"], help="which one (default: oss)")
    add(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="default: a free port of this host",
    )
    add("--data", type=Path, required=True, metavar="DIR", help="directory for all it keeps")
    add(
        "--bucket",
        action="append",
        default=[],
        metavar="NAME",
        help="bucket to make; may come again",
    )
    add("--access-key-id", default="emulator", metavar="ID", help="default: emulator")
    add(
        "--access-key-secret",
        default="emulator-secret",
        metavar="SECRET",
        help="default: emulator-secret",
    )
    add("--security-token", metavar="TOKEN", help="demand this token with the key pair")
    add(
        "--temporary-keys",
        type=Path,
        metavar="FILE",
        help="also accept the pairs of this file, a JSON list, until they expire",
    )
    add("--region", default="", help="default: a usual one of the service")
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long before each answer",
    )
    add("--request-log", type=Path, metavar="FILE", help="append a JSON line for every request")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="SPEC",
        help="what goes wrong, such as status=503:op=PutObject:times=2",
    )
    add(
        "--help-faults",
        nargs=0,
        action=_Text,
        const=faults.__doc__,
        help="say what can go wrong, and how it is written",
    )
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variant of the service, such as acls=off",
    )
    add(
        "--help-options",
        nargs=0,
        action=_Text,
        const=_options_text(),
        help="say which variants there are",
    )
    add(
        "--generate",
        action="append",
        default=[],
        metavar="TEMPLATE:COUNT[:SIZE]",
        help="write objects into the first bucket before listening, as in 'd/{:06d}:1000000'",
    )
    add("--minimum-part-size", type=int, default=0, metavar="BYTES", help="default: the service's")
    add(
        "--restore-seconds",
        type=float,
        default=0.5,
        metavar="SECONDS",
        help="how long it takes to restore an archived object (default: 0.5)",
    )
    add("--no-verify", action="store_true", help="accept any signature")
    return parser  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an emulator until it is stopped."""
    chosen = make_parser().parse_args(arguments)
    config = EmulatorConfig(
        data=chosen.data,
        service=chosen.service,
        listen=chosen.listen,
        buckets=tuple(chosen.bucket),
        latency=chosen.latency,
        request_log=chosen.request_log,
        faults=tuple(chosen.fault),
        access_key_id=chosen.access_key_id,
        access_key_secret=chosen.access_key_secret,
        security_token=chosen.security_token,
        temporary_keys=chosen.temporary_keys,
        region=chosen.region,
        verify_signatures=not chosen.no_verify,
        minimum_part_size=chosen.minimum_part_size,
        options=tuple(chosen.option),
        restore_seconds=chosen.restore_seconds,
        generate=tuple(chosen.generate),
    )
    from tagfs.emulator.server import run  # noqa: PLC0415  (its help needs none of it)

    try:
        run(config)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
