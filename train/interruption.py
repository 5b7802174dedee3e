"""Ctrl-C and SIGTERM: the first lets the step at work finish and be saved, the second stops at once."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


class Met:
    """Whether the user has interrupted, and which step is at work."""

    def __init__(self) -> None:
        self.interrupted = False
        self.in_step = 0


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
        logger.warning("Finishing step %d and saving; Ctrl-C again stops at once.", met.in_step)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
