"""Parts that several verbs build in the same way from the settings."""

from collections.abc import Generator
from pathlib import Path

import torch

from configs.loading import ConfigError, load
from shards.manifest import Manifest, ShardEntry
from train.batch import Batch
from train.checkpoint import Checkpoint
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import load as load_batches
from train.data.sets import evaluation
from train.data.source import source_of
from train.data.tokenizer import Tokenizer
from train.distributed import ALONE, Place
from train.errors import CheckpointError, DataError, RequestError
from train.evaluation.base import Subject
from train.models.vilt import Vilt
from train.objectives.config import learnt


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


def settings_of(checkpoint: Checkpoint) -> TrainConfig:
    """The settings it was trained with."""
    try:
        return load(TrainConfig, checkpoint.settings)
    except ConfigError as error:
        raise CheckpointError(f"{checkpoint.folder} has settings that this version cannot use: {error}") from None


def trained_on(checkpoint: Checkpoint) -> Path:
    """The folder of the set it was trained on."""
    folder = Path(checkpoint.state.sets[0].path)
    if not folder.is_dir():
        raise DataError(f"The set it was trained on is no longer in {folder}: say with --shards where it is now.")
    return folder


def restored_model(config: TrainConfig, checkpoint: Checkpoint) -> Vilt:
    model = make_model(config, checkpoint.tokenizer)
    checkpoint.load_model(model)
    return model


def subject_of(config: TrainConfig, tokenizer: Tokenizer) -> Subject:
    """What evaluation tasks may know of a model trained with `config`."""
    return Subject(tokenizer=tokenizer, learnt=learnt(config.objective, rows=config.data.batch_size))


def chosen_device(name: str, place: Place = ALONE) -> torch.device:
    """The device of this process: the GPU of its number, or the CPU."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RequestError(
            "trainer.device=cuda, but torch sees no GPU here: --set trainer.device=auto takes what there is."
        )
    if not available or name == "cpu":
        return torch.device("cpu")
    if place.local >= torch.cuda.device_count():
        raise RequestError(
            f"{place.local + 1} or more processes were started here, but there are {torch.cuda.device_count()} GPUs: "
            "give torchrun --nproc-per-node that number."
        )
    return torch.device("cuda", place.local)


def shards_of(folder: Path, manifest: Manifest, split: str) -> tuple[ShardEntry, ...]:
    """The shards of `split`. Raises DataError when they hold nothing."""
    shards = manifest.of_split(split)
    if not sum(shard.samples for shard in shards):
        raise DataError(
            f"The {split} split of {folder} holds no samples, so there is nothing to learn from: harvest more videos, "
            "look in _meta/dropped.parquet why samples were dropped, or change the splits with "
            "'harvest shard --set shard.split_shares=[...]'."
        )
    return shards


def evaluation_batches(
    folder: Path, manifest: Manifest, split: str, *, config: TrainConfig, tokenizer: Tokenizer
) -> Generator[Batch]:
    """Every sample of `split` once, as it lies on disk, its image unchanged."""
    reading = evaluation(source_of(folder, manifest), split, rows=config.data.batch_size)
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=False)
    return load_batches(reading, collate, workers=0)
