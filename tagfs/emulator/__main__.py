"""`python -m tagfs.emulator`: an emulator from the command line, without the rest of tagfs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tagfs.emulator.server import EmulatorConfig, run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tagfs.emulator", description=__doc__)
    parser.add_argument("--service", default="oss", choices=["oss", "obs", "s3"])
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--bucket", action="append", default=[], metavar="NAME")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--request-log", type=Path, metavar="FILE")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="SPEC", help="see tagfs.emulator.faults"
    )
    parser.add_argument("--access-key-id", default="emulator", metavar="ID")
    parser.add_argument("--access-key-secret", default="emulator-secret", metavar="SECRET")
    parser.add_argument("--security-token", metavar="TOKEN", help="demand this token")
    parser.add_argument(
        "--temporary-keys",
        type=Path,
        metavar="FILE",
        help="also accept the pairs of this file; see tagfs.emulator.temporary_keys",
    )
    parser.add_argument("--region", default="", help="default: a usual one of the service")
    parser.add_argument("--no-verify", action="store_true", help="accept any signature")
    parser.add_argument("--minimum-part-size", type=int, default=0, metavar="BYTES")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variant of the service; see tagfs.emulator.obs.options and s3.options",
    )
    parser.add_argument("--restore-seconds", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument(
        "--generate",
        action="append",
        default=[],
        metavar="TEMPLATE:COUNT[:SIZE]",
        help="write objects into the first bucket before listening, as in 'd/{:06d}:1000000'",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an emulator until it is told to stop."""
    chosen = _parser().parse_args(arguments)
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
    try:
        run(config)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
