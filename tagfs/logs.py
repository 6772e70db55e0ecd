"""Where log lines go: stderr in the foreground, syslog or a file in the background."""

import logging
import logging.handlers
import sys
from pathlib import Path

_FORMAT = "%(levelname)s %(name)s: %(message)s"


def to_stderr(level: str) -> None:
    """Write log lines to stderr, with the time."""
    _install(logging.StreamHandler(sys.stderr), level, "%(asctime)s " + _FORMAT)


def to_background(level: str, file: Path | None, fallback: Path) -> None:
    """Write log lines to the file that was chosen, else to syslog, else to `fallback`."""
    if file is None and Path("/dev/log").exists():
        handler: logging.Handler = logging.handlers.SysLogHandler("/dev/log")
        handler.ident = "tagfs: "  # type: ignore[attr-defined]
        _install(handler, level, _FORMAT)
        return
    target = file or fallback
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _install(
        logging.handlers.RotatingFileHandler(target, maxBytes=16 * 1024**2, backupCount=1),
        level,
        "%(asctime)s " + _FORMAT,
    )


def _install(handler: logging.Handler, level: str, layout: str) -> None:
    handler.setFormatter(logging.Formatter(layout))
    root = logging.getLogger("tagfs")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
