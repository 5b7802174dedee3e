"""A set in an object store, read from a real S3 server on this machine."""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.local import LocalFileSystem

from shards.errors import CorruptShard, NotAShardSet, Unreachable
from shards.patience import Patience
from train.batch import Batch
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.loader import load
from train.data.order import Position
from train.data.sets import captions_of, training
from train.data.source import Source, open_source
from train.distributed import Place

pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")


@pytest.fixture(scope="module")
def bucket(shards: Path) -> Iterator[str]:
    """The fixture's set under s3://lessons/set."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        store = s3fs.S3FileSystem()
        store.mkdir("lessons")
        store.put(str(shards), "lessons/set", recursive=True)
        yield "s3://lessons"
    server.stop()


def batches(source: Source, collate: Collate, *, workers: int = 0, place: Place | None = None) -> list[Batch]:
    data = DataConfig(batch_size=16, shards_per_group=2)
    reading = training([source], data, seed=3, positions=[Position()], place=place or Place())
    return [*islice(load(reading, collate, workers=workers), 5)]


def assert_equal(made: list[Batch], wanted: list[Batch]) -> None:
    assert [batch.keys for batch in made] == [batch.keys for batch in wanted]
    assert [batch.captions for batch in made] == [batch.captions for batch in wanted]
    assert [batch.after for batch in made] == [batch.after for batch in wanted]
    assert all((a.images_BCSS == b.images_BCSS).all() for a, b in zip(made, wanted, strict=True))


def test_a_set_in_a_bucket_gives_the_batches_that_its_folder_gives(
    bucket: str, shards: Path, collate: Collate, tmp_path: Path
) -> None:
    near, far = open_source(str(shards)), open_source(f"{bucket}/set", cache=tmp_path)
    assert (far.digest, far.kind, far.name) == (near.digest, near.kind, f"{bucket}/set")
    wanted = batches(near, collate)
    assert_equal(batches(far, collate), wanted)
    assert_equal(batches(far, collate, workers=2), wanted)  # forked after this process has used the store
    ranks = [batches(far, collate, place=Place(rank=rank, world=4)) for rank in range(4)]  # few of each: by ranges
    keys = [sorted(key for rank in ranks for key in rank[step].keys) for step in range(5)]
    assert keys == [sorted(batch.keys) for batch in wanted]
    assert sorted(captions_of([far])) == sorted(captions_of([near]))


@pytest.mark.parametrize("pattern", ["set/train-{00000..00004}.tar", "set/train-*.tar"])
def test_tars_in_a_bucket_are_found_by_pattern(bucket: str, collate: Collate, pattern: str) -> None:
    source = open_source(f"{bucket}/{pattern}")
    assert [shard.name for shard in source.shards] == [f"lessons/set/train-{number:05d}.tar" for number in range(5)]
    assert source.samples("train") == 48
    assert len({key for batch in batches(source, collate)[:3] for key in batch.keys}) == 48


def test_what_is_not_in_the_bucket_is_named(bucket: str, collate: Collate) -> None:
    with pytest.raises(NotAShardSet, match=r"s3://lessons/none/manifest\.json is not there"):
        open_source(f"{bucket}/none")
    s3fs.S3FileSystem().copy("lessons/set/manifest.json", "lessons/torn/manifest.json")
    with pytest.raises(CorruptShard, match=r"s3://lessons/torn/train-0000\d\.tar is not there"):
        batches(open_source(f"{bucket}/torn"), collate)


class Flaky(LocalFileSystem):  # type: ignore[misc]
    """A store that fails so many times before each answer."""

    protocol, failures = "oss", 2
    failed = 0

    def cat_file(self, path: str, **known: object) -> bytes:
        if Flaky.failed < Flaky.failures:
            Flaky.failed += 1
            raise TimeoutError("no answer")
        Flaky.failed = 0
        return bytes(super().cat_file(f"/{path}", **known))


@pytest.fixture
def flaky(shards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The fixture's set in a store that nobody has read from yet, and whose failures are soon over."""
    fsspec.register_implementation("oss", Flaky, clobber=True)
    monkeypatch.setattr("shards.patience.STORE", Patience(pauses=(0.0,) * 9))
    monkeypatch.setattr("shards.patience.NEW_STORE", Patience(pauses=(0.0,) * 4))
    monkeypatch.setattr(Flaky, "failed", 0)
    monkeypatch.setattr("shards.store._answered", set())
    yield f"oss:/{shards}"
    fsspec.register_implementation("oss", None, clobber=True)


def test_a_store_that_fails_is_asked_again_and_then_named(
    flaky: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Flaky, "failures", 5)
    with pytest.raises(Unreachable, match=r"manifest\.json could not be read \(tries: 5\): .*no answer"):
        open_source(flaky)  # of a store that has never answered nobody knows whether it ever will
    monkeypatch.setattr(Flaky, "failures", 2)
    monkeypatch.setattr(Flaky, "failed", 0)
    caplog.clear()
    assert open_source(flaky).samples("train") == 48
    assert caplog.text.count("trying again") == 2


def test_a_store_that_has_answered_is_given_more_time(flaky: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flaky, "failures", 0)
    open_source(flaky)
    monkeypatch.setattr(Flaky, "failures", 9)
    assert open_source(flaky).samples("train") == 48
    monkeypatch.setattr(Flaky, "failures", 10)
    with pytest.raises(Unreachable, match=r"could not be read \(tries: 10\)"):
        open_source(flaky)


def test_a_new_store_that_takes_long_to_fail_is_not_tried_for_ever(flaky: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shards.patience.NEW_STORE", Patience(pauses=(0.0,) * 4, within=-1.0))
    with pytest.raises(Unreachable, match=r"could not be read \(tries: 1\)"):
        open_source(flaky)


def test_waiting_draws_no_number_that_a_training_would_draw(flaky: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shards.patience.NEW_STORE", Patience(pauses=(0.001,) * 4))
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    open_source(flaky)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    assert before[:2] == after[:2]
    assert before[2].equal(after[2])
