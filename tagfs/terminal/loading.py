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

    def __enter__(self) -> None:
        gc.disable()  # all that is made here stays
        if _raises():
            signal.signal(signal.SIGINT, _end)

    def __exit__(self, *_: object) -> None:
        gc.enable()
        if signal.getsignal(signal.SIGINT) is _end:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def keep_interrupts() -> None:
    """Let an interrupt that strikes a destructor, where exceptions are lost, strike again."""
    sys.unraisablehook = _strike_again


def leave_to_python() -> None:
    """End the program's part: Ctrl-C ends the process, and memory is not looked through again."""
    gc.freeze()
    if _raises():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # or Python would say what it interrupts


def _raises() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _end(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)


def _strike_again(lost: "sys.UnraisableHookArgs") -> None:
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    # From another thread: in this function it would be lost again.
    _thread.start_new_thread(signal.pthread_kill, (_thread.get_ident(), signal.SIGINT))
