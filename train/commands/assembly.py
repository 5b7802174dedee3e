"""Parts that several verbs build in the same way from the settings."""

from collections.abc import Generator
from pathlib import Path

import torch

from shards.manifest import Manifest, ShardEntry
from train.batch import Batch
from train.checkpoint import Checkpoint
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import Reading, load
from train.data.order import StoredOrder
from train.data.tokenizer import Tokenizer
from train.errors import DataError, RequestError
from train.models.vilt import Vilt


def make_model(config: TrainConfig, tokenizer: Tokenizer) -> Vilt:
    """The model with weights drawn from the seed."""
    model = Vilt(
        config.model,
        vocabulary=tokenizer.vocabulary,
        text_length=config.data.text_length,
        image_size=config.data.image_size,
    )
    model.reset_weights(torch.Generator().manual_seed(config.seed))
    return model


def restored_model(config: TrainConfig, checkpoint: Checkpoint) -> Vilt:
    model = make_model(config, checkpoint.tokenizer)
    checkpoint.load_model(model)
    return model


def chosen_device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RequestError("trainer.device=cuda, but torch sees no GPU here: leave it at auto or set it to cpu.")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def shards_of(folder: Path, manifest: Manifest, split: str) -> tuple[ShardEntry, ...]:
    """The shards of `split`. Raises DataError when they hold nothing."""
    shards = manifest.of_split(split)
    if not sum(shard.samples for shard in shards):
        raise DataError(
            f"The {split} split of {folder} holds no samples, so there is nothing to learn from: harvest more videos, "
            "or look with 'harvest report' why samples were dropped."
        )
    return shards


def evaluation_batches(
    folder: Path, manifest: Manifest, split: str, *, config: TrainConfig, tokenizer: Tokenizer
) -> Generator[Batch]:
    """Every sample of `split` once, as it lies on disk, its image unchanged."""
    reading = Reading(
        folder=folder,
        order=StoredOrder(shards=manifest.of_split(split)),
        epoch_size=manifest.samples(split),
        batch_size=config.data.batch_size,
        endless=False,
    )
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=False)
    return load(reading, collate, workers=0)
