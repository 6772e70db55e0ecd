"""Where log lines go: the file that was chosen, else stderr in the foreground, else syslog.

Under systemd the foreground is the journal: lines carry their priority there, and no time, which
the journal adds itself.
"""

import io
import logging
import logging.handlers
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tagfs.errors import SettingsError
from tagfs.monitoring.log_dedup import DeduplicatingHandler
from tagfs.monitoring.log_files import open_to_append

log = logging.getLogger(__name__)

SYSLOG = Path("/dev/log")
_FORMAT = "%(levelname)s %(name)s: %(message)s"
_TIMED = "%(asctime)s " + _FORMAT
_LARGEST = 16 * 1024**2  # bytes; then the file is renamed to FILE.1
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # syslog(3)


def to_stderr(level: str) -> None:
    """Write log lines to stderr: to people with the time, to systemd's journal with a priority."""
    handler = logging.StreamHandler(sys.stderr)
    if is_journal(os.environ):
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter(_TIMED))
    _install(handler, level)


def to_background(level: str, file: Path | None, fallback: Path, *, optional: bool = False) -> None:
    """Write log lines to the file that was chosen, else to syslog, else to `fallback`.

    A `fallback` that is `optional` may be where nothing can be written: then there is no log, which
    is said on stderr.

    Raises:
        SettingsError: the file cannot be written.
    """
    if file is None and SYSLOG.exists():
        handler: logging.Handler = logging.handlers.SysLogHandler(
            str(SYSLOG), facility=logging.handlers.SysLogHandler.LOG_DAEMON
        )
        handler.ident = f"tagfs[{os.getpid()}]: "  # type: ignore[attr-defined]
        handler.setFormatter(logging.Formatter(_FORMAT))
        _install(handler, level)
        return
    try:
        to_file(level, file or fallback)
    except SettingsError as error:
        if file is not None or not optional:
            raise
        sys.stderr.write(f"tagfs: nothing is logged, as there is no syslog here: {error}\n")
        _install(logging.NullHandler(), level)


def to_file(level: str, file: Path) -> None:
    """Write log lines to a file.

    Raises:
        SettingsError: it cannot be written.
    """
    target = file.absolute()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _OwnFile(target, maxBytes=_LARGEST, backupCount=1)
    except OSError as error:
        raise SettingsError(f"log_file={target} cannot be written: {error.strerror}") from None
    handler.setFormatter(logging.Formatter(_TIMED))
    _install(handler, level)


def toggle_debug(level: str) -> None:
    """Log everything, or, if that is so already, what `level` says again; and say which."""
    root = logging.getLogger("tagfs")
    on = root.level != logging.DEBUG
    usual = "info" if level == "debug" else level
    root.setLevel("DEBUG" if on else usual.upper())
    root.log(
        max(logging.INFO, root.level),
        "log_level is %s now (SIGUSR2 changes it)",
        "debug" if on else usual,
    )


def reopen() -> None:
    """Write to a new file if the old one was moved away (logrotate)."""
    for handler in logging.getLogger("tagfs").handlers:
        target = handler.target if isinstance(handler, DeduplicatingHandler) else handler
        if isinstance(target, logging.FileHandler):
            target.acquire()
            try:
                stream, target.stream = target.stream, None
                if stream is not None:
                    stream.close()  # the next line opens the file again
            finally:
                target.release()


def close() -> None:
    """Write what was only counted so far."""
    for handler in logging.getLogger("tagfs").handlers:
        if isinstance(handler, DeduplicatingHandler):
            handler.write_repeats()


def is_journal(environment: Mapping[str, str]) -> bool:
    """Say whether stderr is systemd's journal, as systemd.exec(5) has it ($JOURNAL_STREAM)."""
    try:
        device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
        found = os.fstat(2)
        return (found.st_dev, found.st_ino) == (int(device), int(inode))
    except (ValueError, OSError):
        return False


class _OwnFile(logging.handlers.RotatingFileHandler):
    """A file that its owner alone can read: log lines name objects and tags."""

    def _open(self) -> io.TextIOWrapper:
        return os.fdopen(open_to_append(Path(self.baseFilename)), "a", encoding="utf-8")


class _JournalFormatter(logging.Formatter):
    """Begins every line with its priority, as sd-daemon(3) has it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines for the journal."""
        prefix = f"<{_PRIORITIES.get(record.levelname, 5)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger("tagfs")
    root.handlers[:] = [DeduplicatingHandler(handler)]
    root.setLevel(level.upper())
    root.propagate = False
