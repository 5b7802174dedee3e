"""Ctrl-C and SIGTERM: the first lets the step at work finish and be saved, the second stops at once.

While data is waited for there is nothing to finish, and a store that hangs may never give any: then the first leaves
the waiting at once.
"""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


class WaitBroken(BaseException):
    """The user has interrupted while something was waited for. None of the errors that are caught on the way."""


class Met:
    """Whether the user has interrupted, and what was at work."""

    def __init__(self) -> None:
        self.interrupted = False
        self.in_step: int | None = None  # the step at work, if one is
        self.waits = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In it an interruption raises WaitBroken."""
        self.waits = True
        try:
            yield
        finally:
            self.waits = False


@contextmanager
def interrupts_wait() -> Iterator[Met]:
    """Note interruptions instead of raising, so that what is saved is whole."""
    met = Met()
    if threading.current_thread() is not threading.main_thread():
        yield met  # signals reach the main thread only
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        met.interrupted = True
        for number in before:
            signal.signal(number, signal.default_int_handler)
        work = "Stopping" if met.in_step is None else f"Finishing step {met.in_step}"
        logger.warning("%s and saving; Ctrl-C again stops at once.", work)
        if met.waits:
            raise WaitBroken

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
