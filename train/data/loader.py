"""Batches in an order that depends on the seed and the sets alone, whatever the number of processes and workers.

    worker w of n collates batches w, w + n, w + 2n, ...; the loader hands them out in turn: 0, 1, 2, ...

Of a set, a step reads a run of consecutive ordinals; train/data/mixture.py says who sees which of them. A worker
reads only its own samples, so sets with fewer shards than consumers need nothing special.
"""

import gc
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from shards.errors import ShardsError
from train.batch import Batch
from train.data.collate import Collate
from train.data.damage import Damage, DamageLog, OnDamage, refuse
from train.data.mixture import ROW_ORDER, Deal, deal
from train.data.order import BEGINNING, Position
from train.data.source import Source
from train.data.stream import Order, Read, read_epoch
from train.data.workers import delivered, heed_trainer_alone
from train.distributed import ALONE, Place
from train.errors import DataError, TrainError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReading:
    """One of the sets that are read."""

    source: Source
    order: Order
    epoch_size: int  # samples
    rows: int  # of a step, over all processes and micro batches
    start: Position = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is read, from where on, and by whom."""

    sets: tuple[SetReading, ...]
    place: Place = ALONE
    accumulate: int = 1  # micro batches of a step; one is delivered after another
    endless: bool = True  # epoch after epoch; else the one set's epoch only, the last batch having what is left
    corrupt: Literal["raise", "skip"] = "raise"  # see train/data/damage.py

    def batches(self, *, collate: Collate, worker: int, workers: int, met: OnDamage = refuse) -> Iterator[Batch]:
        """Every `workers`-th batch, from number `worker` on."""
        assert self.endless or len(self.sets) == 1, "sets end at different times"
        seat = _Seat(place=self.place, worker=worker, workers=workers, endless=self.endless)
        consumers = [
            _Consumer(one, dealt, at=seat, met=met) for one, dealt in zip(self.sets, self._deals(), strict=True)
        ]
        by_kind = [consumers[number] for number in self._by_kind()]
        for number in count(worker, workers):
            rows = [read for consumer in by_kind for read in consumer.rows(number)]
            if not rows:
                return
            batch = collate(rows, tuple(consumer.after(number) for consumer in consumers), met)
            if batch.keys:  # else all of it is left out
                yield batch

    def _deals(self) -> list[Deal]:
        """Of each set."""
        order = self._by_kind()
        dealt = deal([self.sets[number].rows for number in order], parts=self.accumulate, world=self.place.world)
        return [one for _, one in sorted(zip(order, dealt, strict=True), key=lambda pair: pair[0])]

    def _by_kind(self) -> list[int]:
        """Numbers of the sets, those of one kind together."""
        return sorted(range(len(self.sets)), key=lambda number: ROW_ORDER.index(self.sets[number].source.kind))


class _Consumer:
    """Reads what one worker of one process has to read of one set."""

    def __init__(self, one: SetReading, dealt: Deal, *, at: "_Seat", met: OnDamage) -> None:
        self.set = one
        self._deal = dealt
        self._at = at
        self._reads = self._read(met)

    def rows(self, number: int) -> list[Read]:
        """Of batch `number`; the batches of this worker are asked for in turn."""
        part = number % self._parts
        mine = (self._deal.part == part) & (self._deal.rank == self._at.place.rank)
        return [*islice(self._reads, int(mine.sum()))]

    def after(self, number: int) -> Position:
        """Where this set stands after batch `number`, over all processes."""
        step, part = divmod(number, self._parts)
        consumed = step * self.set.rows + self._deal.ends[part]
        return self.set.start.advanced(consumed, epoch_size=self.set.epoch_size)

    @property
    def _parts(self) -> int:
        return len(self._deal.ends)

    def _read(self, met: OnDamage) -> Iterator[Read]:
        one, start = self.set, self.set.start
        for epoch in count(start.epoch) if self._at.endless else (start.epoch,):
            # Consumed since the start when this epoch's ordinal 0 comes: negative in the epoch we start inside.
            before = (epoch - start.epoch) * one.epoch_size - start.ordinal

            def wanted(ordinals: NDArray[np.int64], before: int = before) -> NDArray[np.bool_]:
                step, row = np.divmod(before + ordinals, one.rows)
                number = step * self._parts + self._deal.part[row]
                mine: NDArray[np.bool_] = self._deal.rank[row] == self._at.place.rank
                mine &= number % self._at.workers == self._at.worker
                return mine

            first = start.ordinal if epoch == start.epoch else 0
            begin = Position(epoch=epoch, ordinal=first)
            yield from read_epoch(one.source, one.order, begin, wanted, met, stand_ins=self._at.endless)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """Which of all that read this worker is."""

    place: Place
    worker: int
    workers: int
    endless: bool


def load(reading: Reading, collate: Collate, *, workers: int, pin: bool = False) -> Generator[Batch]:
    """The batches of `reading`, made in `workers` processes (no more than there are cores), or in this one if 0.

    With `pin` they lie in memory from which a GPU copies while the CPU goes on.
    """
    # A generator of its own: the loader's seeding must not move the training's random numbers.
    loader: DataLoader[_Made] = DataLoader(
        _Batches(reading, collate),
        batch_size=None,
        num_workers=_affordable(workers, reading.place),
        pin_memory=pin,
        generator=torch.Generator(),
        worker_init_fn=_settle,
    )
    consequence = "Others take the place of %d samples" if reading.endless else "%d samples are left out"
    damages = DamageLog(consequence=consequence, place=reading.place)
    rows = 0
    with closing(delivered(loader)) as all_made:
        for made in all_made:
            damages.tell(made.met)
            if isinstance(made.batch, Exception):
                raise made.batch
            rows += len(made.batch.keys)
            yield made.batch
    if not rows:
        raise DataError(f"No sample of {reading.sets[0].source.name} can be used: check it with 'harvest validate'.")


def _affordable(workers: int, place: Place) -> int:
    """`workers`, or this process's share of the cores that may be used here, if that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = max(1, cores // place.neighbours)
    if workers > share:
        logger.warning(
            "data.workers=%d, but there are %d cores for the %d process(es) on this machine: %d are used.",
            workers,
            cores,
            place.neighbours,
            share,
        )
    return min(workers, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What comes from a worker. Our errors travel as values, or the DataLoader would bury them in a traceback."""

    batch: Batch | Exception
    met: tuple[Damage, ...]

    def pin_memory(self) -> "_Made":
        return self if isinstance(self.batch, Exception) else replace(self, batch=self.batch.pin_memory())


class _Batches(IterableDataset[_Made]):
    """A reading as the DataLoader wants it."""

    def __init__(self, reading: Reading, collate: Collate) -> None:
        self._reading = reading
        self._collate = collate

    def __iter__(self) -> Iterator[_Made]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        met: list[Damage] = []
        on_damage = refuse if self._reading.corrupt == "raise" else met.append
        try:
            for batch in self._reading.batches(collate=self._collate, worker=worker, workers=workers, met=on_damage):
                yield _Made(batch=batch, met=(*met,))
                met.clear()
        except (TrainError, ShardsError) as error:
            yield _Made(batch=error, met=(*met,))


def _settle(_worker: int) -> None:
    """What a worker process does first."""
    heed_trainer_alone()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there are as many workers as cores are wanted
    gc.freeze()  # what the trainer has made is never ours to free, and looking through it copies its pages
    # A lock of the progress bar may have been held at the moment of the fork, and would be for ever.
    logging.getLogger().handlers[:] = [logging.StreamHandler()]
