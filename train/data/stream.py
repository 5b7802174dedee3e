"""Undecoded samples of one set from any position on.

    Position -> groups not yet passed -> the ordinals asked for -> their bytes, in order

A group wholly before the position is not opened, and what nobody here asked for is not read from a local disk. In
memory are no more than a window of samples, or one group's wanted ones of an object store. Knows neither pixels nor
tokens.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shards.codec import RawSample
from train.data.damage import Damage, OnDamage
from train.data.fetch import GroupReader
from train.data.order import Group, Position
from train.data.source import Source
from train.errors import DataError

WINDOW = 1024  # samples that are read at once from a local disk, in the order in which they lie there


class Order(Protocol):
    """Which samples an epoch holds, and in which order."""

    def groups(self, epoch: int) -> Iterator[Group]: ...


Wanted = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""Ordinals to whether each is to be read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A sample's bytes and its name in the order."""

    source: Source
    epoch: int
    ordinal: int
    raw: RawSample
    replaced: bool  # its own bytes cannot be read: these are another's
    instead: Callable[[], Iterator[RawSample]] | None  # the readable ones after it in its group; None: leave it out


def read_epoch(
    source: Source, order: Order, start: Position, wanted: Wanted, met: OnDamage, *, stand_ins: bool
) -> Iterator[Read]:
    """The samples of epoch `start.epoch` from `start.ordinal` on whose ordinals are `wanted`, in order.

    Where `met` does not raise, one whose shard is damaged is left out or, with `stand_ins`, the next readable sample
    stands in for it.
    """
    for group in order.groups(start.epoch):
        if group.end <= start.ordinal:
            continue  # consumed: neither opened nor put in order
        ordinals = np.arange(max(group.first, start.ordinal), group.end)
        chosen = ordinals[wanted(ordinals)] - group.first
        if len(chosen):
            yield from _Opened(source, group, met, stand_ins=stand_ins).reads(start.epoch, chosen)


class _Opened:
    """A group that is being read."""

    def __init__(self, source: Source, group: Group, met: OnDamage, *, stand_ins: bool) -> None:
        self._source = source
        self._group = group
        self._places = group.places()
        self._reader = GroupReader(source, group)
        self._met = met
        self._stand_ins = stand_ins
        self._told: set[str] = set()

    def reads(self, epoch: int, numbers: NDArray[np.int64]) -> Iterator[Read]:
        """Those of the group's samples that are `numbers` in its order."""
        window = WINDOW if self._source.store.near else len(numbers)  # a far shard is copied once, not once a window
        for start in range(0, len(numbers), window):
            yield from self._window(epoch, numbers[start : start + window])

    def _window(self, epoch: int, numbers: NDArray[np.int64]) -> Iterator[Read]:
        found = self._read(self._places[numbers])
        for number, place in zip(numbers.tolist(), self._places[numbers].tolist(), strict=True):

            def instead(number: int = number) -> Iterator[RawSample]:
                return self._after(number)

            own = found.pop(place, None)
            if own is None and not self._stand_ins:
                continue
            raw = own or next(instead(), None)
            if raw is None:
                raise DataError(f"None of {', '.join(shard.name for shard in self._group.shards)} can be read.")
            yield Read(
                source=self._source,
                epoch=epoch,
                ordinal=self._group.first + number,
                raw=raw,
                replaced=own is None,
                instead=instead if self._stand_ins else None,
            )

    def _after(self, number: int) -> Iterator[RawSample]:
        for place in np.roll(self._places, -number - 1)[:-1].tolist():
            yield from self._read([place]).values()

    def _read(self, places: NDArray[np.int64] | list[int]) -> dict[int, RawSample]:
        found = self._reader.read(int(place) for place in places)
        for shard in self._group.shards:
            if shard.name in self._reader.damaged and shard.name not in self._told:
                self._told.add(shard.name)
                self._met(Damage(name=shard.name, error=self._reader.damaged[shard.name], samples=shard.samples))
        return found
