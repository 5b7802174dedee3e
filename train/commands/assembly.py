"""Parts that several verbs build in the same way from the settings."""

from collections.abc import Generator
from pathlib import Path

import torch

from configs.loading import ConfigError, load
from shards.errors import NotAShardSet
from train.batch import Batch
from train.checkpoint import Checkpoint
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import load as load_batches
from train.data.sets import evaluation
from train.data.source import Source, open_source
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


def trained_on(checkpoint: Checkpoint, *, cache: Path, skip: bool = False) -> tuple[Source, ...]:
    """The sets it was trained on. Raises DataError when one is no longer where it was."""
    return tuple(_found_again(each.path, cache, skip) for each in checkpoint.state.sets)


def _found_again(path: str, cache: Path, skip: bool) -> Source:
    try:
        return open_source(path, cache=cache, skip=skip)
    except NotAShardSet:
        raise DataError(
            f"The set it was trained on is no longer in {path}: say with --shards where it is now."
        ) from None


def cache_beside(run: Path) -> Path:
    """Where what is found out about tars without a manifest is kept for the next run."""
    return run.parent / ".indexes"


def restored_model(config: TrainConfig, checkpoint: Checkpoint) -> Vilt:
    """The model to use: with the mean of the weights for weights, where the run has kept one."""
    model = make_model(config, checkpoint.tokenizer)
    checkpoint.load_model(model)
    checkpoint.load_mean(model)
    return model


def subject_of(config: TrainConfig, tokenizer: Tokenizer) -> Subject:
    """What evaluation tasks may know of a model trained with `config`."""
    return Subject(
        tokenizer=tokenizer, learnt=learnt(config.objective, rows=config.data.batch_size // config.trainer.accumulate)
    )


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


def evaluation_batches(source: Source, split: str, *, config: TrainConfig, tokenizer: Tokenizer) -> Generator[Batch]:
    """Every sample of `split` once, as it lies in the shards, its image unchanged."""
    reading = evaluation(source, split, rows=config.data.batch_size)
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=False)
    return load_batches(reading, collate, workers=0)
