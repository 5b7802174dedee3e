"""The bytes of some samples of a group of shards.

    places in the group -> index of each shard -> spans -> bytes

Of a local tar only the wanted samples are read. Of one in an object store they are fetched as ranges where its index
is at hand and few are wanted; else it is copied once to a temporary file. A shard that is missing, torn or holds
another number of samples than was counted is damaged, and gives nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import numpy as np

from shards.codec import RawSample
from shards.errors import CorruptShard
from shards.index import TarIndex, bounds, raw_sample
from shards.manifest import ShardEntry
from shards.store import LocalStore, Store
from train.data.indexes import Indexes
from train.data.order import Group
from train.data.source import Source
from train.data.tars import fitting

FEW = 0.5  # share of a remote shard's samples up to which ranges are asked for; more, and it is copied whole


class GroupReader:
    """Reads samples of one group, by their place in its shards read one after another."""

    def __init__(self, source: Source, group: Group, *, pictures: bool = True) -> None:
        self._pictures = pictures
        self._source = source
        self._group = group
        self._ends = [*accumulate(shard.samples for shard in group.shards)]
        self._indexes = Indexes(store=source.store, cache=source.cache)
        self._known: dict[str, TarIndex] = {}
        self.damaged: dict[str, CorruptShard] = {}  # by the shard's name

    def read(self, places: Iterable[int]) -> dict[int, RawSample]:
        """The samples at `places`; those in damaged shards are missing, and the shards noted in `damaged`."""
        found: dict[int, RawSample] = {}
        for number, wanted in self._by_shard(places).items():
            shard, first = self._group.shards[number], self._ends[number] - self._group.shards[number].samples
            if shard.name in self.damaged:
                continue
            try:
                samples = self._of_shard(shard, [place - first for place in wanted])
            except CorruptShard as error:
                self.damaged[shard.name] = error
            else:
                found |= dict(zip(wanted, samples, strict=True))
        return found

    def _by_shard(self, places: Iterable[int]) -> Mapping[int, list[int]]:
        by_shard: dict[int, list[int]] = {}
        for place in sorted(places):  # as they lie on the disk
            by_shard.setdefault(bisect_right(self._ends, place), []).append(place)
        return by_shard

    def _of_shard(self, shard: ShardEntry, places: Sequence[int]) -> list[RawSample]:
        store, index = self._source.store, self._index_at_hand(shard)
        if store.near:
            index = self._checked(shard, self._indexes.of(shard.name)) if index is None else index
            return _samples(store, shard.name, index, places)
        if index is not None and len(places) <= FEW * shard.samples:
            return _samples(store, shard.name, index, places)
        with store.as_file(shard.name) as copy:
            index = self._checked(shard, self._indexes.made(shard.name, copy)) if index is None else index
            return _samples(LocalStore(root=copy.parent), copy.name, index, places)

    def _index_at_hand(self, shard: ShardEntry) -> TarIndex | None:
        if shard.name not in self._known and (stored := self._indexes.known(shard.name)) is not None:
            self._checked(shard, stored)
        return self._known.get(shard.name)

    def _checked(self, shard: ShardEntry, index: TarIndex) -> TarIndex:
        if self._source.foreign:
            index = index.only(fitting(index, self._source.kind))
        if len(index) != shard.samples:
            raise CorruptShard(
                f"{self._source.store.path(shard.name)} holds {len(index)} samples, but the manifest says "
                f"{shard.samples}: the order of the epoch would shift. Write the set again with 'harvest shard'."
            )
        self._known[shard.name] = index if self._pictures else index.without_pictures()
        return self._known[shard.name]


def _samples(store: Store, name: str, index: TarIndex, places: Sequence[int]) -> list[RawSample]:
    """Each read at once, with what little lies between its members."""
    chosen = index.only(np.asarray(places))
    spans = bounds(chosen.spans)
    samples = []
    for key, row, (start, end), content in zip(
        chosen.keys.tolist(), chosen.spans, spans, store.spans(name, spans), strict=True
    ):
        if len(content) < end - start:
            raise CorruptShard(f"{store.path(name)} has become shorter while it was read.")
        samples.append(raw_sample(key, row, memoryview(content), start))
    return samples
