"""The order of the samples: what it depends on, what it does not, and how it is taken up again."""

import itertools
import os
from collections import Counter
from pathlib import Path

import pytest

from shards.codec import RawSample
from shards.errors import CorruptShard
from shards.manifest import Manifest, ShardEntry
from train.batch import Batch
from train.config import TrainConfig
from train.data.collate import Collate, caption_of
from train.data.loader import Reading, SetReading, load
from train.data.order import Position, ShuffledOrder
from train.data.sets import evaluation
from train.data.source import source_of
from train.data.tokenizer import Tokenizer
from train.distributed import Place
from train.errors import DataError

EPOCH = 48  # training samples of the fixture


class Stream:
    """The fixture's training samples, read in various ways, eight rows a step and process."""

    def __init__(self, shards: Path, manifest: Manifest, collate: Collate) -> None:
        self.shards = shards
        self.manifest = manifest
        self.order = ShuffledOrder(shards=manifest.of_split("train"), shards_per_group=2, seed=3)
        self.collate = collate

    def batches(
        self,
        count: int,
        *,
        start: Position | None = None,
        place: Place | None = None,
        workers: int = 0,
        folder: Path | None = None,
    ) -> list[Batch]:
        place = place or Place()
        one = SetReading(
            source=source_of(folder or self.shards, self.manifest),
            order=self.order,
            epoch_size=EPOCH,
            rows=8 * place.world,
            start=start or Position(),
        )
        reading = Reading(sets=(one,), place=place)
        return list(itertools.islice(load(reading, self.collate, workers=workers), count))


@pytest.fixture(scope="module")
def stream(shards: Path, manifest: Manifest, config: TrainConfig, tokenizer: Tokenizer) -> Stream:
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=3, training=True)
    return Stream(shards, manifest, collate)


def keys_of(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def test_a_caption_that_is_not_utf_8_is_named_with_its_key() -> None:
    raw = RawSample(key="000010005", members={"txt": b"caf\xe9", "jpg": b"", "json": b"{}"})
    with pytest.raises(DataError, match="The caption of sample 000010005 is not UTF-8"):
        caption_of(raw)


def test_an_epoch_holds_every_sample_exactly_once(stream: Stream) -> None:
    keys = keys_of(stream.batches(2 * EPOCH // 8))
    assert set(Counter(keys[:EPOCH]).values()) == set(Counter(keys[EPOCH:]).values()) == {1}
    assert set(keys[:EPOCH]) == set(keys[EPOCH:])
    assert keys[:EPOCH] != keys[EPOCH:]


def test_equal_seeds_give_equal_orders_and_other_seeds_others() -> None:
    shards = tuple(
        ShardEntry(name=f"train-{number:05d}.tar", split="train", samples=7, bytes=1, sha256="") for number in range(9)
    )

    def order(seed: int, epoch: int) -> list[object]:
        groups = ShuffledOrder(shards=shards, shards_per_group=4, seed=seed).groups(epoch)
        return [(group.first, tuple(shard.name for shard in group.shards), tuple(group.places())) for group in groups]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)


def test_reading_goes_on_anywhere_as_if_it_had_not_stopped(stream: Stream) -> None:
    whole = stream.batches(14)  # over the end of the second epoch
    for stop in (1, 5, 6, 9):
        rest = stream.batches(14 - stop, start=whole[stop - 1].after[0])
        assert keys_of(rest) == keys_of(whole[stop:])
        assert all((a.images_BCSS == b.images_BCSS).all() for a, b in zip(rest, whole[stop:], strict=True))


def test_groups_before_the_position_are_not_read(stream: Stream, tmp_path: Path) -> None:
    later = stream.batches(3, start=Position(epoch=0, ordinal=24))
    groups = list(stream.order.groups(0))
    passed = {shard.name for group in groups if group.end <= 24 for shard in group.shards}
    assert passed
    for entry in stream.order.shards:
        if entry.name not in passed:
            (tmp_path / entry.name).symlink_to(stream.shards / entry.name)
    assert keys_of(stream.batches(3, start=Position(epoch=0, ordinal=24), folder=tmp_path)) == keys_of(later)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(stream: Stream, workers: int) -> None:
    alone = stream.batches(8)
    helped = stream.batches(8, workers=workers)
    assert keys_of(helped) == keys_of(alone)
    assert [batch.after for batch in helped] == [batch.after for batch in alone]
    assert all((a.images_BCSS == b.images_BCSS).all() for a, b in zip(helped, alone, strict=True))


def test_a_few_samples_of_a_split_lie_evenly_spread_over_it(stream: Stream) -> None:
    def keys(samples: int) -> list[str]:
        reading = evaluation(source_of(stream.shards, stream.manifest), "train", rows=4, samples=samples)
        return keys_of([*load(reading, stream.collate, workers=0)])

    every = keys(0)
    assert len(every) == EPOCH
    assert keys(6) == every[::8]
    assert keys(1) == every[:1]
    assert keys(EPOCH + 1) == every


def test_more_ranks_than_shards_share_every_batch_without_a_repeat(stream: Stream) -> None:
    world = 6  # of 5 shards
    ranks = [stream.batches(1, place=Place(rank=rank, world=world))[0] for rank in range(world)]
    assert set(Counter(keys_of(ranks)).values()) == {1}
    assert len(keys_of(ranks)) == EPOCH
    assert {batch.after for batch in ranks} == {(Position(epoch=1, ordinal=0),)}


def test_a_shard_that_holds_other_samples_than_the_manifest_says_is_refused(stream: Stream, tmp_path: Path) -> None:
    for entry in stream.order.shards:
        (tmp_path / entry.name).symlink_to(stream.shards / stream.order.shards[-1].name)  # the last one is shorter
    with pytest.raises(CorruptShard, match="the manifest says"):
        stream.batches(6, folder=tmp_path)


def test_an_error_in_a_worker_reaches_the_user_as_its_sentence(stream: Stream, tmp_path: Path) -> None:
    with pytest.raises(CorruptShard, match=r"^\S+ is not there, or is no file\.$"):
        stream.batches(1, folder=tmp_path, workers=1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's choice of cores")
def test_workers_are_as_many_as_the_cores_that_a_process_has(stream: Stream, caplog: pytest.LogCaptureFixture) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        made = stream.batches(2, workers=2)
    finally:
        os.sched_setaffinity(0, cores)
    assert "data.workers=2, but there are 1 cores for the 1 process(es) on this machine: 1 are used." in caplog.text
    assert keys_of(made) == keys_of(stream.batches(2))


def test_processes_of_one_machine_share_its_cores(stream: Stream, caplog: pytest.LogCaptureFixture) -> None:
    stream.batches(1, place=Place(world=2, neighbours=len(os.sched_getaffinity(0))), workers=2)
    assert "on this machine: 1 are used" in caplog.text
