"""Undecoded samples from any position on: the part of the reading that touches the disk.

    Position -> groups not yet passed -> tars of one group -> the ordinals asked for, in order, as bytes

A group wholly before the position is not opened, a sample nobody here asked for is dropped undecoded, and no more
than one group's bytes are in memory. Knows neither pixels nor tokens.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shards.codec import RawSample
from shards.errors import CorruptShard
from shards.reader import read_shard
from train.data.order import Group, Position


class Order(Protocol):
    """Which samples an epoch holds, and in which order."""

    def groups(self, epoch: int) -> Iterator[Group]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A sample's bytes and its name in the order."""

    epoch: int
    ordinal: int
    raw: RawSample


def read_epoch(folder: Path, order: Order, start: Position, wanted: Callable[[int], bool]) -> Iterator[Read]:
    """The samples of epoch `start.epoch` from `start.ordinal` on whose ordinals are `wanted`, in order."""
    for group in order.groups(start.epoch):
        if group.end <= start.ordinal:
            continue  # consumed: neither opened nor put in order
        chosen = {
            place: ordinal
            for ordinal, place in enumerate(group.places(), start=group.first)
            if ordinal >= start.ordinal and wanted(ordinal)
        }
        bytes_of = _read_group(folder, group, chosen)
        for ordinal in sorted(chosen.values()):
            yield Read(epoch=start.epoch, ordinal=ordinal, raw=bytes_of.pop(ordinal))


def _read_group(folder: Path, group: Group, chosen: dict[int, int]) -> dict[int, RawSample]:
    found: dict[int, RawSample] = {}
    if not chosen:
        return found
    place = 0
    for shard in group.shards:
        first = place
        for raw in read_shard(folder / shard.name):
            if place in chosen:
                found[chosen[place]] = raw
            place += 1
        if place - first != shard.samples:
            raise CorruptShard(
                f"{folder / shard.name} holds {place - first} samples, but the manifest says {shard.samples}: "
                "the order of the epoch would shift. Write the set again with 'harvest shard'."
            )
    return found
