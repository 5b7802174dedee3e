"""Readings of sets, as training, evaluation and the tokenizer want them."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Literal

from train.data.collate import caption_of
from train.data.config import DataConfig
from train.data.fetch import GroupReader
from train.data.loader import Reading, SetReading
from train.data.mixture import rows_of_sets
from train.data.order import Position, ShuffledOrder, StoredOrder
from train.data.source import Source
from train.distributed import ALONE, Place
from train.errors import DataError

logger = logging.getLogger(__name__)

TELLING = 10.0  # seconds between two lines of the log while captions are read


def training(
    sources: Sequence[Source],
    config: DataConfig,
    *,
    seed: int,
    positions: Sequence[Position],
    place: Place = ALONE,
    accumulate: int = 1,
) -> Reading:
    """The train splits without end, from `positions` on, one for each set.

    A step is `accumulate` micro batches of config.batch_size / (place.world * accumulate) rows in each process.
    Raises DataError when a set has nothing to learn from, or no row in a step.
    """
    for source in sources:
        require_samples(source, "train")
    rows = rows_of_sets(sources, config.weights, config.batch_size)
    if len(sources) > 1:
        told = ", ".join(f"{count} of {source.name}" for source, count in zip(sources, rows, strict=True))
        logger.info("Each step reads %d rows: %s.", config.batch_size, told)
    sets = tuple(
        SetReading(
            source=source,
            order=ShuffledOrder(
                shards=source.of_split("train"), shards_per_group=config.shards_per_group, seed=seed, number=number
            ),
            epoch_size=source.samples("train"),
            rows=rows[number],
            start=positions[number],
        )
        for number, source in enumerate(sources)
    )
    return Reading(sets=sets, place=place, accumulate=accumulate, corrupt=config.corrupt)


def evaluation(
    source: Source, split: str, *, rows: int, corrupt: Literal["raise", "skip"] = "raise", samples: int = 0
) -> Reading:
    """Every sample of `split` once, as they lie in the shards, in batches of `rows` at most; or so many `samples`.

    What cannot be read is an error, or left out. Nothing ever stands in for it: it would be counted twice.
    """
    order = StoredOrder(shards=source.of_split(split), samples=samples)
    one = SetReading(source=source, order=order, epoch_size=order.chosen, rows=rows)
    return Reading(sets=(one,), endless=False, corrupt=corrupt)


def captions_of(sources: Sequence[Source], split: str = "train", *, skip: bool = False) -> Iterator[str]:
    """The captions of all sets that have any, one of each set in turn, as they lie there.

    Those that cannot be read are an error, or left out.
    """
    worded = [_captions_of_one(source, split, skip=skip) for source in sources if source.kind != "images"]
    told = time.monotonic()
    for number, caption in enumerate(_in_turn(worded), start=1):
        yield caption
        if time.monotonic() > told + TELLING:
            logger.info("%d captions read so far", number)
            told = time.monotonic()


def _in_turn(captions: Sequence[Iterator[str]]) -> Iterator[str]:
    """One of each, again and again; of those that are longer, the rest."""
    left = [*captions]
    while left:
        for one in [*left]:
            caption = next(one, None)
            if caption is None:
                left.remove(one)
            else:
                yield caption


def _captions_of_one(source: Source, split: str, *, skip: bool) -> Iterator[str]:
    for group in StoredOrder(shards=source.of_split(split)).groups(0):
        reader = GroupReader(source, group, pictures=False)
        found = reader.read(range(group.samples))
        if reader.damaged and not skip:
            raise next(iter(reader.damaged.values()))
        for raw in found.values():
            try:
                yield caption_of(raw)
            except DataError:
                if not skip:
                    raise


def require_samples(source: Source, split: str) -> None:
    """Raises DataError when `split` holds nothing."""
    if not source.samples(split):
        raise DataError(
            f"The {split} split of {source.name} holds no samples, so there is nothing to learn from: harvest more "
            "videos, look in _meta/dropped.parquet why samples were dropped, or change the splits with "
            "'harvest shard --set shard.split_shares=[...]'."
        )
