"""Where a process begins: `tagfs` and `python -m tagfs`."""

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, even while it is being imported."""
    try:
        from tagfs.cli import main as run  # noqa: PLC0415  (so that an interrupt of it is caught)

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Python would say what it interrupts at exit. A command that ignores one is left alone.
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
