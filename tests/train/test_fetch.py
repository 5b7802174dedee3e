"""Only what is wanted of a shard is read, and what was found out about it is kept."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from train.config import TrainConfig
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.fetch import GroupReader
from train.data.indexes import Indexes
from train.data.loader import load
from train.data.order import Position, StoredOrder
from train.data.sets import captions_of, training
from train.data.source import open_source
from train.data.tokenizer import Tokenizer
from train.distributed import Place


def bytes_read() -> int:
    """By this process, from files or the cache of the kernel."""
    (line,) = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar")]
    return int(line.partition(":")[2])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's count of bytes read")
def test_a_consumer_reads_its_share_of_the_bytes(shards: Path, tmp_path: Path) -> None:
    source = open_source(str(shards), cache=tmp_path)
    (group, *_) = StoredOrder(shards=source.of_split("train")).groups(0)
    Indexes(store=source.store, cache=source.cache).of(group.shards[0].name)
    before = bytes_read()
    found = GroupReader(source, group).read([3])
    assert set(found) == {3}
    assert bytes_read() - before < group.shards[0].bytes / 3  # of ten samples, and some for the index


def test_what_an_index_says_is_believed_until_the_shard_changes(shards: Path, tmp_path: Path) -> None:
    folder, cache = tmp_path / "set", tmp_path / "cache"
    folder.mkdir()
    for path in shards.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    source = open_source(str(folder), cache=cache)
    name = source.of_split("train")[0].name
    indexes = Indexes(store=source.store, cache=cache)
    assert indexes.known(name) is None
    first = indexes.of(name)
    known = indexes.known(name)
    assert known is not None
    assert known.keys.tolist() == first.keys.tolist()
    assert (known.spans == first.spans).all()
    (folder / name).write_bytes((folder / name).read_bytes() + bytes(512))
    assert indexes.known(name) is None
    (kept,) = cache.glob("*.npz")
    kept.write_bytes(b"damaged")
    assert len(indexes.of(name)) == len(first)


def test_what_killed_ones_left_beside_indexes_is_cleared_away(shards: Path, tmp_path: Path) -> None:
    name = f".1f.{'0' * 32}.npz"
    left, at_work, foreign = (tmp_path / each for each in (name, name.replace("1f", "2e"), ".notes.npz"))
    for path in (left, at_work, foreign):
        path.write_bytes(b"half")
        os.utime(path, (0, 0) if path != at_work else None)
    source = open_source(str(shards), cache=tmp_path)
    Indexes(store=source.store, cache=tmp_path).of(source.shards[0].name)
    assert not left.exists()
    assert at_work.exists() and foreign.exists()


def test_kept_indexes_change_nothing(shards: Path, tmp_path: Path, config: TrainConfig, tokenizer: Tokenizer) -> None:
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=3, training=True)
    data = DataConfig(batch_size=16, shards_per_group=2)
    place = Place(rank=1, world=2)

    def keys(cache: Path | None) -> list[tuple[str, ...]]:
        reading = training([open_source(str(shards), cache=cache)], data, seed=3, positions=[Position()], place=place)
        return [batch.keys for batch in islice(load(reading, collate, workers=0), 6)]

    assert keys(tmp_path) == keys(tmp_path) == keys(None)
    assert len([*tmp_path.glob("*.npz")]) == 5


def test_where_nothing_can_be_kept_reading_goes_on(
    shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    cache.write_text("not a folder")
    source = open_source(f"{shards}/train-*.tar", cache=cache)
    assert source.samples("train") == 48
    assert len([*captions_of([source])]) == 48
    assert sum("cannot be kept in" in line for line in caplog.messages) == 1


def test_an_index_is_whole_or_absent_whoever_writes_it(shards: Path, tmp_path: Path) -> None:
    source = open_source(str(shards), cache=tmp_path)
    names = [shard.name for shard in source.of_split("train")] * 20
    indexes = Indexes(store=source.store, cache=tmp_path)
    sizes = {name: len(Indexes(store=source.store, cache=None).of(name)) for name in names}

    def write_and_read(name: str) -> bool:
        indexes.made(name, shards / name)
        known = indexes.known(name)
        return known is not None and len(known) == sizes[name]

    with ThreadPoolExecutor(8) as writers:
        assert all(writers.map(write_and_read, names))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz"] * 5  # and nothing is left over
    assert not [*tmp_path.glob(".*")]
