"""What the world outside may tell a running mount, and what it tells the world: signals, systemd.

SIGTERM, SIGINT   finish uploads and unmount; once more: keep what is not uploaded at once
SIGHUP            begin new log files (logrotate); where a terminal is gone: the same as SIGTERM
SIGUSR1           log the mount's status
SIGUSR2           log everything from now on; again: what log_level says
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from tagfs.host import signals, systemd
from tagfs.host.loop_stopper import LoopStopper
from tagfs.monitoring import logs

log = logging.getLogger(__name__)

EXTENSION = 60
"""Seconds of patience that systemd is asked for again and again while uploads are finished."""


class MountLifecycle:
    """Watches over one mount from before its first thread to its end.

    Args:
        status: what SIGUSR1 logs.
        abandon: ends what waits for the service.
        reopen: begins new files beside the log, if there are any.
        foreground: a terminal may be in charge, and may go.
    """

    def __init__(
        self,
        log_level: str,
        *,
        status: Callable[[], dict[str, Any]],
        abandon: Callable[[], None],
        reopen: Callable[[], None],
        foreground: bool,
    ) -> None:
        self.ending = LoopStopper()
        self._log_level = log_level
        self._status = status
        self._abandon = abandon
        self._reopen = reopen
        self._has_terminal = foreground and os.isatty(2)
        self._committed = self._stopping = False
        self._over = threading.Event()

    def install_signals(self) -> None:
        """Take over the signals. No thread may have been started before."""
        signals.watch(
            {
                signal.SIGTERM: lambda: self._stop("SIGTERM"),
                signal.SIGINT: lambda: self._stop("SIGINT"),
                signal.SIGHUP: self._hung_up,
                signal.SIGUSR1: lambda: log.warning("status: %s", json.dumps(self._status())),
                signal.SIGUSR2: lambda: logs.toggle_debug(self._log_level),
            }
        )

    def commit(self) -> None:
        """Note that there will be something to finish; before, a signal just ends the process."""
        self._committed = True

    def mounted(self, what: str, leave: Callable[[], None]) -> None:
        """Tell that the mount answers; `leave` makes libfuse leave its loop."""
        self.ending.begun(leave)
        systemd.notify("READY=1", f"STATUS={what}", f"MAINPID={os.getpid()}")

    def unmounted(self) -> None:
        """Tell that nothing is asked any more, and what is due is being finished."""
        self.ending.is_over()
        if not self._stopping:
            self._announce("finishing uploads")

    def over(self) -> None:
        """Tell that the mount has come to its end."""
        self._over.set()
        logs.close()

    def _stop(self, name: str) -> None:
        if not self._committed:
            logs.close()
            os._exit(128 + signal.Signals[name])
        if self._stopping:
            log.warning("%s again: what is not uploaded is kept in cache_dir", name)
            self._abandon()
            return
        self._stopping = True
        log.warning("%s: finishing uploads, then unmounting", name)
        self._announce("finishing uploads, then unmounting")
        threading.Thread(target=self.ending, name="tagfs-ending", daemon=True).start()

    def _announce(self, what: str) -> None:
        if systemd.notify("STOPPING=1", f"STATUS={what}"):
            threading.Thread(target=self._extend, name="tagfs-extend", daemon=True).start()

    def _hung_up(self) -> None:
        if self._has_terminal:
            self._stop("SIGHUP")
            return
        logs.reopen()
        self._reopen()
        log.info("SIGHUP: log files are opened anew")

    def _extend(self) -> None:
        """Keep systemd from killing what still uploads; each upload gives up by itself."""
        while systemd.notify(f"EXTEND_TIMEOUT_USEC={EXTENSION * 1_000_000}"):
            if self._over.wait(EXTENSION / 3):
                return
