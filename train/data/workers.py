"""The processes of a DataLoader: one that dies (the kernel kills whom memory runs out for) is an error at once.

torch raises it wherever the training then stands, also in the middle of a step, whose weights would be half updated.
Here it is raised only where the next batch is asked for.

Nor are they waited for when no more batches are wanted: one may hang on a store that no longer answers.
"""

import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn, TypeVar

from torch.utils.data import DataLoader

from train.errors import ProcessLost

MOMENT = 1.0  # seconds in which a process whose connection has broken is seen to have died, or leaves that is told to
LEAVE = signal.SIGUSR2  # Ctrl-C and SIGTERM are for the trainer, which finishes its step and needs us for that

T = TypeVar("T")


def heed_trainer_alone() -> None:
    """Each process calls it: what ends it is the trainer's word, not a signal that reaches them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reaches every process of a terminal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun sends it to all of a process's group, too
    signal.signal(LEAVE, _leave)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit  # what lies in temporary files is cleared away


def delivered(loader: DataLoader[T]) -> Generator[T]:
    """What `loader` hands out. Raises ProcessLost when one of its processes has died."""
    others, before = {*active_children()}, signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    _heed_children(before)  # torch has put in a handler of its own
    workers = [each for each in active_children() if each not in others]
    try:
        while True:
            try:
                with _deaths_raised(workers):
                    batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError):  # what torch makes of it hangs on the moment of the death
                _refuse_dead(workers, within=MOMENT)
                raise
            yield batch
    finally:
        _dismiss(workers)


def _dismiss(workers: Sequence[BaseProcess]) -> None:
    """Without this, torch waits for each for many seconds, and Python for ever."""
    for each in workers:
        if each.is_alive() and each.pid:
            os.kill(each.pid, LEAVE)
    end = time.monotonic() + MOMENT
    try:
        for each in workers:
            each.join(max(0.0, end - time.monotonic()))
    finally:
        for each in workers:
            each.kill()  # does nothing to one that has left


@contextmanager
def _deaths_raised(workers: Sequence[BaseProcess]) -> Iterator[None]:
    """Without this, the rest of a message in whose midst a worker died would be waited for for ever."""
    before = signal.getsignal(signal.SIGCHLD)

    def look(_number: int, _frame: FrameType | None) -> None:
        _refuse_dead(workers)

    _heed_children(look)
    try:
        _refuse_dead(workers)
        yield
    finally:
        _heed_children(before)


def _refuse_dead(workers: Sequence[BaseProcess], *, within: float = 0.0) -> None:
    """Raises ProcessLost if one of them has died, or dies `within` so many seconds."""
    wait([each.sentinel for each in workers], timeout=within)
    for code in (each.exitcode for each in workers if each.exitcode):
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        raise ProcessLost(
            f"One of the data.workers={len(workers)} processes that read data has ended by itself ({how}), so no more "
            "batches come. Mostly memory ran out: go on with --resume and fewer data.workers."
        )


def _heed_children(handler: object) -> None:
    """Signals reach the main thread only."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)  # type: ignore[arg-type]
