"""Sets that are damaged: what ends the training, what stands in for what, and what is told."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from shards.errors import CorruptShard, ShardsError, Unreachable
from shards.manifest import Manifest
from shards.patience import Patience
from train.batch import Batch
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.loader import load
from train.data.order import Position
from train.data.sets import captions_of, evaluation, training
from train.data.source import Source, open_source
from train.distributed import ALONE, Place
from train.errors import DataError


def batches(
    source: Source,
    collate: Collate,
    count: int,
    *,
    start: Position | None = None,
    place: Place = ALONE,
    workers: int = 0,
    corrupt: str = "skip",
) -> list[Batch]:
    data = DataConfig.model_validate({"batch_size": 8, "shards_per_group": 3, "corrupt": corrupt})
    reading = training([source], data, seed=3, positions=[start or Position()], place=place)
    return [*islice(load(reading, collate, workers=workers), count)]


def keys_of(made: list[Batch]) -> list[str]:
    return [key for batch in made for key in batch.keys]


@pytest.fixture
def damaged(tmp_path: Path, shards: Path, manifest: Manifest) -> Source:
    """The training scenes: one shard torn, one missing, and one picture of another broken."""
    names = [shard.name for shard in manifest.of_split("train")]
    for name in names:
        (tmp_path / name).write_bytes((shards / name).read_bytes())
    (tmp_path / "manifest.json").write_bytes((shards / "manifest.json").read_bytes())
    torn = tmp_path / names[0]
    torn.write_bytes(torn.read_bytes()[:20000])
    (tmp_path / names[3]).unlink()
    whole = bytearray((tmp_path / names[1]).read_bytes())
    start = whole.index(b"\xff\xd8\xff")
    whole[start : start + 3] = b"no!"
    (tmp_path / names[1]).write_bytes(whole)
    return open_source(str(tmp_path))


def test_what_is_damaged_ends_the_training_with_its_name(damaged: Source, collate: Collate) -> None:
    with pytest.raises((ShardsError, DataError), match=r"train-0000\d\.tar|Sample 00001\d{4}"):
        batches(damaged, collate, 6, corrupt="raise")


@pytest.mark.parametrize("workers", [0, 2])
def test_others_stand_in_for_what_is_damaged(
    damaged: Source, collate: Collate, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    made = batches(damaged, collate, 12, workers=workers)
    assert all(len(batch.keys) == 8 for batch in made)
    keys = keys_of(made)
    assert not {key for key in keys if key.startswith(("00000", "00003"))}
    assert len(set(keys)) == 48 - 20 - 1
    for name in ("train-00000.tar", "train-00003.tar", "Sample 00001"):
        assert sum(name in line for line in caplog.messages) == 1
    assert "21 so far" in caplog.text
    assert [batch.after for batch in made][5] == (Position(epoch=1),)


def test_stand_ins_are_the_same_for_any_number_of_processes_and_after_a_stop(damaged: Source, collate: Collate) -> None:
    whole = batches(damaged, collate, 6)
    again = batches(damaged, collate, 4, start=whole[1].after[0], workers=2)
    assert keys_of(again) == keys_of(whole[2:])
    assert all((a.images_BCSS == b.images_BCSS).all() for a, b in zip(again, whole[2:], strict=True))
    ranks = [batches(damaged, collate, 6, place=Place(rank=rank, world=4)) for rank in range(4)]
    for step, wanted in enumerate(whole):
        assert Counter(keys_of([made[step] for made in ranks])) == Counter(wanted.keys)


def test_a_batch_says_how_many_of_its_rows_stand_in_for_others(damaged: Source, collate: Collate) -> None:
    assert sum(batch.replaced for batch in batches(damaged, collate, 6)) == 21


def test_an_evaluation_leaves_out_what_is_damaged_and_counts_nothing_twice(
    damaged: Source, plain: Collate, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CorruptShard):
        [*load(evaluation(damaged, "train", rows=8), plain, workers=0)]
    made = [*load(evaluation(damaged, "train", rows=8, corrupt="skip"), plain, workers=0)]
    keys = keys_of(made)
    assert len(keys) == len(set(keys)) == 48 - 21
    assert not any(batch.replaced for batch in made)
    assert all(len(batch.images_BCSS) == len(batch.tokens_BL) == len(batch.keys) for batch in made)
    assert "are left out, 21 so far (data.corrupt=skip)" in caplog.text
    sound = {key: image for batch in batches(damaged, plain, 6) for key, image in zip(batch.keys, batch.images_BCSS)}  # noqa: B905
    assert all(
        image.equal(sound[key]) for batch in made for key, image in zip(batch.keys, batch.images_BCSS, strict=True)
    )


def test_a_split_of_which_nothing_can_be_read_is_an_error(damaged: Source, plain: Collate) -> None:
    for shard in damaged.of_split("train"):
        Path(damaged.store.path(shard.name)).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"No sample of .* can be used"):
        [*load(evaluation(damaged, "train", rows=8, corrupt="skip"), plain, workers=0)]


def test_each_process_tells_of_the_damage_that_it_meets(
    damaged: Source, collate: Collate, caplog: pytest.LogCaptureFixture
) -> None:
    for rank in range(2):
        batches(damaged, collate, 6, place=Place(rank=rank, world=2))
        assert f"so far by process {rank} (data.corrupt=skip)" in caplog.text


def test_a_picture_that_cannot_be_decoded_is_named_by_its_sample(damaged: Source, plain: Collate) -> None:
    (broken,) = [shard for shard in damaged.shards if shard.name == "train-00001.tar"]
    one = replace(damaged, shards=(broken,))
    with pytest.raises(DataError, match=r"^Sample 00001\d{4} of .*: .* \(it is none of JPEG, PNG, WEBP\)"):
        [*load(evaluation(one, "train", rows=8), plain, workers=0)]


def test_captions_of_what_is_damaged_are_an_error_or_left_out(damaged: Source) -> None:
    with pytest.raises(CorruptShard):
        [*captions_of([damaged])]
    assert len([*captions_of([damaged], skip=True)]) == 28


def test_a_disk_that_fails_is_no_damage_of_a_shard(
    damaged: Source, collate: Collate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shards.patience.DISK", Patience(pauses=(0.0, 0.0)))
    for shard in damaged.of_split("train"):
        path = Path(damaged.store.path(shard.name))
        path.unlink(missing_ok=True)
        path.symlink_to("/proc/self/mem")  # to read its first byte is an input/output error
    with pytest.raises(Unreachable, match=r"train-0000\d\.tar could not be read \(tries: 3\): .*Input/output error"):
        batches(damaged, collate, 1)
    assert caplog.text.count("trying again") == 2
