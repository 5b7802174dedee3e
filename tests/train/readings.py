"""What is read of sets, for the tests of how they are read."""

from itertools import islice

from train.batch import Batch
from train.data.collate import Collate
from train.data.config import DataConfig
from train.data.loader import Reading, load
from train.data.order import Position
from train.data.sets import training
from train.data.source import Source


def settings(**values: object) -> DataConfig:
    return DataConfig.model_validate({"batch_size": 8, "shards_per_group": 2, **values})


def reading(sources: list[Source], data: DataConfig, **values: object) -> Reading:
    return training(sources, data, **{"seed": 3, "positions": [Position()] * len(sources), **values})  # type: ignore[arg-type]


def batches(wanted: Reading, collate: Collate, count: int, workers: int = 0) -> list[Batch]:
    return [*islice(load(wanted, collate, workers=workers), count)]


def keys_of(made: list[Batch]) -> list[str]:
    return [key for batch in made for key in batch.keys]
