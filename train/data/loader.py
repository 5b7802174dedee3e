"""Batches in an order that depends on the seed and the shards alone, whatever the number of worker processes.

    worker w of n collates batches w, w + n, w + 2n, ...; the loader hands them out in turn: 0, 1, 2, ...

A batch over all ranks is a run of consecutive ordinals; rank r of W takes every W-th of them. Each worker reads the
tars of a group but keeps only its own samples, so sets with fewer shards than consumers need nothing special.
"""

import logging
import os
import signal
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from shards.errors import ShardsError
from train.batch import Batch
from train.data.collate import Collate
from train.data.order import BEGINNING, Position
from train.data.stream import Order, Read, read_epoch
from train.distributed import ALONE, Place
from train.errors import TrainError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is read, from where on, and by whom."""

    folder: Path
    order: Order
    epoch_size: int  # samples
    batch_size: int  # rows a rank
    start: Position = BEGINNING
    place: Place = ALONE
    endless: bool = True  # epoch after epoch, or the start's epoch only

    def batches(self, *, collate: Collate, worker: int, workers: int) -> Iterator[Batch]:
        """Every `workers`-th batch, from number `worker` on."""
        reads = self._reads(worker, workers)
        for number in count(worker, workers):
            rows = [*islice(reads, self.batch_size)]
            if not rows:
                return
            consumed = (number + 1) * self._stride
            yield collate(rows, self.start.advanced(consumed, epoch_size=self.epoch_size))

    @property
    def _stride(self) -> int:
        return self.batch_size * self.place.world

    def _reads(self, worker: int, workers: int) -> Iterator[Read]:
        last = None if self.endless else self.start.epoch + 1
        for epoch in count(self.start.epoch) if last is None else range(self.start.epoch, last):
            # Consumed since the start when this epoch's ordinal 0 comes: negative in the epoch we start inside.
            before = (epoch - self.start.epoch) * self.epoch_size - self.start.ordinal
            first = self.start.ordinal if epoch == self.start.epoch else 0

            def wanted(ordinal: int, before: int = before) -> bool:
                number, row = divmod(before + ordinal, self._stride)
                return number % workers == worker and row % self.place.world == self.place.rank

            yield from read_epoch(self.folder, self.order, Position(epoch=epoch, ordinal=first), wanted)


def load(reading: Reading, collate: Collate, *, workers: int) -> Generator[Batch]:
    """The batches of `reading`, made in `workers` processes (no more than there are cores), or in this one if 0."""
    cores = os.cpu_count() or 1
    if workers > cores:
        logger.warning("data.workers=%d is more than the %d cores here, so %d are used.", workers, cores, cores)
    # A generator of its own: the loader's seeding must not move the training's random numbers.
    loader: DataLoader[Batch | Exception] = DataLoader(
        _Batches(reading, collate),
        batch_size=None,
        num_workers=min(workers, cores),
        generator=torch.Generator(),
        worker_init_fn=_leave_interrupts_to_the_trainer,
    )
    for item in loader:
        if isinstance(item, Exception):
            raise item
        yield item


class _Batches(IterableDataset[Batch | Exception]):
    """A reading as the DataLoader wants it. Our errors travel as values, or it would bury them in a traceback."""

    def __init__(self, reading: Reading, collate: Collate) -> None:
        self._reading = reading
        self._collate = collate

    def __iter__(self) -> Iterator[Batch | Exception]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        try:
            yield from self._reading.batches(collate=self._collate, worker=worker, workers=workers)
        except (TrainError, ShardsError) as error:
            yield error


def _leave_interrupts_to_the_trainer(_worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; the trainer finishes its step and saves, and needs us for that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the trainer's handler, which a forked worker inherits
