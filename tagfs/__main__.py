"""Where a process begins: `tagfs` and `python -m tagfs`. Nothing is imported before `main`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, even while it is being imported."""
    try:
        _run()
    except BaseException as error:
        # Python 3.11 raises a RuntimeError where `__set_name__` is interrupted.
        if not isinstance(error.__cause__ or error, KeyboardInterrupt):
            raise
        sys.exit(130)  # loading.INTERRUPTED, which may be what was interrupted


def _run() -> None:
    from tagfs.terminal import loading  # noqa: PLC0415  (so that an interrupt of it is caught)

    loading.keep_interrupts()
    loading.end_at_once()  # until a command begins
    try:
        with loading.Loading():
            from tagfs.cli import main as run  # noqa: PLC0415
        run()
    finally:
        loading.leave_to_python()


if __name__ == "__main__":
    main()
