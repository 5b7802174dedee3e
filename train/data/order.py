"""In which order an epoch is read: a pure function of (seed, epoch, the manifest's shards).

    shards --shuffle--> groups of `shards_per_group` --shuffle inside each--> ordinals 0, 1, 2, ... of the epoch

An ordinal names one sample of one epoch. Because every group's size is known from the manifest, any position is
found without reading what lies before it. Knows nothing of bytes, ranks or workers.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.manifest import ShardEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the stream has been consumed, over all ranks."""

    epoch: int = 0
    ordinal: int = 0  # samples of this epoch already consumed

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

    @property
    def samples(self) -> int:
        return sum(shard.samples for shard in self.shards)

    @property
    def end(self) -> int:
        return self.first + self.samples

    def places(self) -> NDArray[np.int64]:
        """n-th sample out -> its place in the shards read one after another."""
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

    def groups(self, epoch: int) -> Iterator[Group]:
        assert epoch == 0, "a set is evaluated once"
        yield from _groups(self.shards, 1, seed=None)


def _groups(shards: Sequence[ShardEntry], size: int, *, seed: str | None) -> Iterator[Group]:
    first = 0
    for start in range(0, len(shards), size):
        inner = None if seed is None else f"{seed}/{first}"
        group = Group(first=first, shards=(*shards[start : start + size],), seed=inner)
        yield group
        first = group.end


def _shuffled(count: int, seed: str) -> NDArray[np.int64]:
    """0 .. count-1 in an order that `seed` decides.

    By sorting a bit generator's raw numbers: NumPy promises those to stay the same from version to version (NEP 19),
    which it does not of its own shuffling.
    """
    number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=16).digest())
    return np.argsort(np.random.PCG64(number).random_raw(count), kind="stable")
