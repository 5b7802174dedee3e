"""Mixtures of sets: how many rows each has in a step, and who reads them."""

import logging
from collections import Counter
from pathlib import Path

import pytest
import torch

from shards.manifest import ShardEntry
from shards.sample import Kind, Sample
from shards.store import LocalStore
from shards.writer import SetFacts, write_set
from tests.train.foreign import picture
from tests.train.readings import batches, keys_of, reading, settings
from train.commands.request import Request, rows_by_kind
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.mixture import rows_of_sets
from train.data.order import Position
from train.data.sets import captions_of
from train.data.source import Source, open_source
from train.distributed import Place
from train.errors import DataError, RequestError


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """12 pairs, 30 texts, 18 images, 20 more pairs."""
    folder = tmp_path_factory.mktemp("mixed")
    counts = {"pairs": 12, "texts": 30, "images": 18, "more": 20}
    for name, count in counts.items():
        kind = "pairs" if name == "more" else name
        samples = [
            Sample.make(
                image=b"" if kind == "texts" else picture(number),
                caption="" if kind == "images" else f"{name} {number}",
                video_id=f"{name}-{number}",
                width=0 if kind == "texts" else 60,
                height=0 if kind == "texts" else 50,
            )
            for number in range(count)
        ]
        write_set(folder / name, {"train": samples}, samples_per_shard=4, facts=SetFacts(kind=kind))  # type: ignore[arg-type]
    return [open_source(str(folder / name)) for name in counts]


WEIGHTS = (3.0, 1.0, 2.0, 2.0)


def test_every_batch_has_its_rows_of_each_set_pairs_before_texts_before_images(
    mixed: list[Source], plain: Collate
) -> None:
    made = batches(reading(mixed, settings(batch_size=16, weights=WEIGHTS)), plain, 9)
    for batch in made:
        assert (batch.pairs, batch.lone_texts, batch.lone_images) == (10, 2, 4)
        names = [caption.partition(" ")[0] for caption in batch.captions]
        assert names == ["pairs"] * 6 + ["more"] * 4 + ["texts"] * 2 + [""] * 4
        assert not batch.images_BCSS[10:12].any()
        assert batch.images_BCSS[:10].flatten(1).any(dim=1).all()
        only_cls = torch.zeros_like(batch.real_BL[12:])
        only_cls[:, 0] = True
        assert batch.real_BL[12:].equal(only_cls)
        assert len(batch.after) == 4
    assert made[1].after == tuple(
        Position(epoch=2 * rows // size, ordinal=2 * rows % size)
        for rows, size in zip((6, 2, 4, 4), (12, 30, 18, 20), strict=True)
    )


def test_without_weights_sets_are_read_by_their_sizes(mixed: list[Source], collate: Collate) -> None:
    (batch,) = batches(reading(mixed, settings(batch_size=40)), collate, 1)
    assert (batch.pairs, batch.lone_texts, batch.lone_images) == (6 + 10, 15, 9)


def test_each_set_has_epochs_of_its_own(mixed: list[Source], collate: Collate) -> None:
    made = batches(reading(mixed, settings(batch_size=16, weights=WEIGHTS)), collate, 10)
    seen = Counter(caption for batch in made for caption in batch.captions[:6])
    assert set(seen.values()) == {5}  # 60 of 12


@pytest.mark.parametrize(("world", "accumulate", "workers"), [(1, 1, 2), (2, 1, 0), (1, 4, 0), (2, 2, 2), (4, 2, 0)])
def test_a_step_holds_the_same_samples_for_any_number_of_processes(
    mixed: list[Source], collate: Collate, world: int, accumulate: int, workers: int
) -> None:
    data = settings(batch_size=16, weights=(5.0, 4.0, 4.0, 3.0))  # quotas that 4 processes cannot share evenly
    whole = batches(reading(mixed, data), collate, 4)
    ranks = [
        batches(
            reading(mixed, data, place=Place(rank=rank, world=world), accumulate=accumulate),
            collate,
            4 * accumulate,
            workers=workers,
        )
        for rank in range(world)
    ]
    for step, wanted in enumerate(whole):
        parts = [made[step * accumulate + part] for part in range(accumulate) for made in ranks]
        assert {len(part.keys) for part in parts} == {16 // (world * accumulate)}
        assert Counter(zip(keys_of(parts), [text for part in parts for text in part.captions], strict=True)) == Counter(
            zip(wanted.keys, wanted.captions, strict=True)
        )
        assert all(made[(step + 1) * accumulate - 1].after == wanted.after for made in ranks)


def test_micro_batches_are_consecutive_runs_of_the_order(mixed: list[Source], collate: Collate) -> None:
    source, data = [mixed[1]], settings(batch_size=8)
    assert keys_of(batches(reading(source, data, accumulate=4), collate, 8)) == keys_of(
        batches(reading(source, data), collate, 2)
    )


@pytest.mark.parametrize("worlds", [(2, 1), (2, 4), (4, 2)])
def test_another_number_of_processes_goes_on_without_a_repeat_or_a_gap(
    mixed: list[Source], collate: Collate, worlds: tuple[int, int]
) -> None:
    """Two epochs of 12 pairs and of 20, changed in the middle of an epoch of each."""
    data, pairs = settings(batch_size=8, weights=(3.0, 5.0)), [mixed[0], mixed[3]]
    seen: Counter[str] = Counter()
    positions: tuple[Position, ...] = (Position(), Position())
    for world, steps in zip(worlds, (3, 5), strict=True):
        made = [
            batches(reading(pairs, data, place=Place(rank=rank, world=world), positions=positions), collate, steps)
            for rank in range(world)
        ]
        seen.update(caption for rank in made for batch in rank for caption in batch.captions)
        positions = made[0][-1].after
    assert positions == (Position(epoch=2), Position(epoch=2))
    assert len(seen) == 32
    assert set(seen.values()) == {2}


def test_weights_that_do_not_fit_the_sets_are_refused(mixed: list[Source]) -> None:
    with pytest.raises(DataError, match="2 numbers for 4 sets"):
        reading(mixed, settings(weights=(1.0, 2.0)))
    with pytest.raises(DataError, match="would have no row"):
        reading(mixed, settings(batch_size=4, weights=(100.0, 100.0, 1.0, 1.0)))


def counted(*samples: int, kinds: tuple[Kind, ...]) -> list[Source]:
    """Sets that have so many samples each; nobody reads them."""
    sets = [ShardEntry(name="train-00000.tar", split="train", samples=count, bytes=1, sha256="") for count in samples]
    store = LocalStore(root=Path("nowhere"))
    return [
        Source(name=f"{kind} {number}", kind=kind, store=store, shards=(one,), digest="", foreign=False, cache=None)
        for number, (one, kind) in enumerate(zip(sets, kinds, strict=True))
    ]


MIXED: tuple[Kind, ...] = ("pairs", "texts", "images")


@pytest.mark.parametrize(
    ("sources", "weights", "rows", "expected"),
    [
        (counted(9, 9, kinds=("pairs", "pairs")), (0.7, 0.3), 256, [179, 77]),  # of one kind: as exact as can be
        (counted(9, 9, kinds=("pairs", "texts")), (0.7, 0.3), 256, [176, 80]),
        (counted(1_000_000, 200_000, 50_000, kinds=("pairs",) * 3), (), 1024, [819, 164, 41]),
        (counted(1_000_000, 200_000, 50_000, kinds=MIXED), (), 1024, [816, 168, 40]),
        (counted(9, 9, 9, kinds=("pairs", "texts", "pairs")), (3.0, 2.0, 1.0), 24, [12, 8, 4]),
        (counted(9, 9, kinds=("pairs", "texts")), (0.7, 0.3), 4, [3, 1]),  # no rounding is near enough
        (counted(9, 9, kinds=("pairs", "texts")), (0.5, 0.5), 3, [2, 1]),
    ],
)
def test_rows_of_a_kind_are_rounded_by_a_tenth_at_most(
    sources: list[Source], weights: tuple[float, ...], rows: int, expected: list[int]
) -> None:
    assert rows_of_sets(sources, weights, rows) == expected


def request_of(sources: list[Source], tmp_path: Path, **values: object) -> Request:
    config = TrainConfig(data=DataConfig.model_validate(values))
    return Request(sources=(*sources,), run=tmp_path, config=config, resumed=None)


def test_sets_of_one_kind_are_dealt_to_any_number_of_processes(tmp_path: Path) -> None:
    request = request_of(counted(1_000_000, 200_000, 50_000, kinds=("pairs",) * 3), tmp_path, batch_size=1024)
    assert rows_by_kind(request, Place(world=16)).pairs == 64
    request = request_of(counted(9, 9, kinds=("pairs", "texts")), tmp_path, batch_size=256, weights=(0.7, 0.3))
    rows = rows_by_kind(request, Place(world=16))
    assert (rows.pairs, rows.texts, rows.images) == (11, 5, 0)


def test_what_cannot_be_dealt_evenly_is_refused_with_what_would_do(tmp_path: Path) -> None:
    sources = counted(1_000_000, 200_000, 50_000, kinds=MIXED)
    with pytest.raises(RequestError, match=r"816 pairs, 168 texts, 40 images.* the 16 micro batches") as refusal:
        rows_by_kind(request_of(sources, tmp_path, batch_size=1024), Place(world=16))
    named = int(str(refusal.value).partition("data.batch_size=")[2].partition(",")[0])
    assert named > 1024
    rows_by_kind(request_of(sources, tmp_path, batch_size=named), Place(world=16))


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (3, 1), (3, 2)])
def test_every_micro_batch_has_equally_many_rows_of_each_kind(
    mixed: list[Source], collate: Collate, world: int, accumulate: int
) -> None:
    data = settings(batch_size=24, weights=(7.0, 5.0, 5.0, 7.0))
    sources = [mixed[0], mixed[1], mixed[3], mixed[1]]  # pairs, texts, pairs, texts
    made = [
        batch
        for rank in range(world)
        for batch in batches(
            reading(sources, data, place=Place(rank=rank, world=world), accumulate=accumulate), collate, 2 * accumulate
        )
    ]
    seats = world * accumulate
    assert {(batch.pairs, batch.lone_texts, batch.lone_images) for batch in made} == {(12 // seats, 12 // seats, 0)}


def test_a_mixture_tells_the_rows_of_its_sets(mixed: list[Source], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        reading(mixed, settings(batch_size=16, weights=WEIGHTS))
    (told,) = [line for line in caplog.messages if "Each step" in line]
    assert f"6 of {mixed[0].name}, 2 of {mixed[1].name}" in told


def test_captions_are_taken_from_all_sets_in_turn(mixed: list[Source]) -> None:
    names = [caption.partition(" ")[0] for caption in captions_of(mixed)]
    assert names[:36] == ["pairs", "texts", "more"] * 12
    assert names[36:52] == ["texts", "more"] * 8
    assert names[52:] == ["texts"] * 10
    assert sorted(captions_of(mixed)) == sorted(caption for source in mixed for caption in captions_of([source]))


def test_long_reading_of_captions_is_told(
    mixed: list[Source], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("train.data.sets.TELLING", -1.0)
    with caplog.at_level(logging.INFO):
        assert len([*captions_of(mixed[:1])]) == 12
    assert "12 captions read so far" in caplog.messages
