"""In which order an epoch is read: a pure function of (seed, epoch, the manifest's shards).

    shards --shuffle--> groups of `shards_per_group` --shuffle inside each--> ordinals 0, 1, 2, ... of the epoch

An ordinal names one sample of one epoch. Because every group's size is known from the manifest, any position is
found without reading what lies before it. Knows nothing of bytes, ranks or workers.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from shards.manifest import ShardEntry

Count = Annotated[int, Field(ge=0, lt=1 << 53)]  # what is read of it from a file must lie in this range


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the stream has been consumed, over all ranks."""

    epoch: Count = 0
    ordinal: Count = 0  # samples of this epoch already consumed

    def advanced(self, samples: int, *, epoch_size: int) -> "Position":
        """The position `samples` later; epochs follow each other without a gap."""
        epochs, ordinal = divmod(self.ordinal + samples, epoch_size)
        return Position(epoch=self.epoch + epochs, ordinal=ordinal)


BEGINNING = Position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Shards that are read together. Cheap to make: its order is worked out only when it is read."""

    first: int  # ordinal of its first sample
    shards: tuple[ShardEntry, ...]
    seed: str | None  # of the order inside; None leaves the samples as they lie
    only: NDArray[np.int64] | None = None  # the places that are read, where not all are

    @property
    def samples(self) -> int:
        if self.only is not None:
            return len(self.only)
        return sum(shard.samples for shard in self.shards)

    @property
    def end(self) -> int:
        return self.first + self.samples

    def places(self) -> NDArray[np.int64]:
        """n-th sample out -> its place in the shards read one after another."""
        if self.only is not None:
            return self.only
        return np.arange(self.samples) if self.seed is None else _shuffled(self.samples, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffledOrder:
    """A new order each epoch."""

    shards: tuple[ShardEntry, ...]
    shards_per_group: int
    seed: int
    number: int = 0  # of the set, among those that are read: no two are shuffled alike

    def groups(self, epoch: int) -> Iterator[Group]:
        seed = f"{self.seed}/{self.number}/{epoch}"
        shards = [self.shards[place] for place in _shuffled(len(self.shards), seed)]
        yield from _groups(shards, self.shards_per_group, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """As the samples lie on disk, one shard at a time: for evaluation."""

    shards: tuple[ShardEntry, ...]
    samples: int = 0  # so many, evenly spread over the shards, so that few are of one video; 0 is all

    def groups(self, epoch: int) -> Iterator[Group]:
        assert epoch == 0, "a set is evaluated once"
        every = _groups(self.shards, 1, seed=None)
        yield from every if self.chosen == self._total else _spread(every, self.chosen, total=self._total)

    @property
    def chosen(self) -> int:
        return min(self.samples or self._total, self._total)

    @property
    def _total(self) -> int:
        return sum(shard.samples for shard in self.shards)


def _groups(shards: Sequence[ShardEntry], size: int, *, seed: str | None) -> Iterator[Group]:
    first = 0
    for start in range(0, len(shards), size):
        inner = None if seed is None else f"{seed}/{first}"
        group = Group(first=first, shards=(*shards[start : start + size],), seed=inner)
        yield group
        first = group.end


def _spread(groups: Iterator[Group], samples: int, *, total: int) -> Iterator[Group]:
    """So many samples out of the `total` that `groups` hold; groups without any of them are left out."""
    ordinals = np.arange(samples) * total // samples
    first = 0
    for group in groups:
        only = ordinals[(ordinals >= group.first) & (ordinals < group.end)] - group.first
        if len(only):
            yield replace(group, first=first, only=only)
            first += len(only)


def _shuffled(count: int, seed: str) -> NDArray[np.int64]:
    """0 .. count-1 in an order that `seed` decides.

    By sorting a bit generator's raw numbers: NumPy promises those to stay the same from version to version (NEP 19),
    which it does not of its own shuffling.
    """
    number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=16).digest())
    return np.argsort(np.random.PCG64(number).random_raw(count), kind="stable")
