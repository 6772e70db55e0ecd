"""What Ctrl-C does to a process: it ends it, without a word, with status 130.

While modules are loaded nothing has begun, so the process ends where it is. An exception would not
do: some are lost (in the callback of a weak reference), some come out as others. Later it is a
KeyboardInterrupt, so that a command can clean up.
"""

import _thread
import gc
import os
import signal
import sys

INTERRUPTED = 130
"""Exit status of what Ctrl-C ended: 128 and the signal's number, as with shells."""


class Loading:
    """Modules are loaded: Ctrl-C ends the process at once, and nobody looks for garbage.

    Only where Ctrl-C would be a KeyboardInterrupt: who ignores or handles it is left alone.
    """

    _raised = False  # before

    def __enter__(self) -> None:
        gc.disable()  # all that is made here stays
        self._raised = _raises()
        end_at_once()

    def __exit__(self, *_: object) -> None:
        gc.enable()
        if self._raised:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class Working:
    """A command has begun: Ctrl-C is a KeyboardInterrupt in it, where it would end the process."""

    _ended = False  # before

    def __enter__(self) -> None:
        self._ended = _ends()
        if self._ended:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if self._ended:
            end_at_once()


def end_at_once() -> None:
    """Let Ctrl-C end the process where it is, if it would be a KeyboardInterrupt."""
    if _raises():
        signal.signal(signal.SIGINT, _end)


def keep_interrupts() -> None:
    """Let an interrupt that strikes a destructor, where exceptions are lost, strike again."""
    sys.unraisablehook = _strike_again


def leave_to_python() -> None:
    """End the program's part: Ctrl-C ends the process, and memory is not looked through again."""
    gc.freeze()
    if _raises() or _ends():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # or Python would say what it interrupts


def _raises() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _ends() -> bool:
    return signal.getsignal(signal.SIGINT) is _end


def _end(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)


def _strike_again(lost: "sys.UnraisableHookArgs") -> None:
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    # From another thread: in this function it would be lost again.
    _thread.start_new_thread(signal.pthread_kill, (_thread.get_ident(), signal.SIGINT))
