"""Parts that several verbs build in the same way from the settings."""

import logging
from collections.abc import Generator
from pathlib import Path

import torch

from configs.loading import ConfigError, load
from shards.errors import ShardsError
from shards.store import is_remote
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
from train.rows import Rows

logger = logging.getLogger(__name__)


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
        if is_remote(path):
            logger.info("Reading %s, as the checkpoint says.", path)
        return open_source(path, cache=cache, skip=skip)
    except (ShardsError, DataError) as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"The set it was trained on cannot be read from {path} ({reason}): say with --shards where it is now."
        ) from None


def cache_beside(run: Path) -> Path:
    """Where what is found out about tars without a manifest is kept for the next run."""
    return run.parent / ".indexes"


def restored_model(config: TrainConfig, checkpoint: Checkpoint) -> Vilt:
    """The model to use: with the mean of the weights for weights, where the run has kept one."""
    model = make_model(config, checkpoint.tokenizer)
    checkpoint.load_model(model, mean=True)
    return model


def subject_of(config: TrainConfig, tokenizer: Tokenizer, rows: Rows) -> Subject:
    """What evaluation tasks may know of a model trained with `config` in micro batches of `rows`."""
    return Subject(tokenizer=tokenizer, learnt=learnt(config.objective, rows))


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


def evaluation_batches(
    source: Source, split: str, *, config: TrainConfig, tokenizer: Tokenizer, samples: int = 0
) -> Generator[Batch]:
    """Every sample of `split` once, as it lies in the shards, its image unchanged; by data.corrupt without damage.

    Or so many `samples`, evenly spread over it.
    """
    rows, corrupt = config.data.batch_size, config.data.corrupt
    reading = evaluation(source, split, rows=rows, corrupt=corrupt, samples=samples)
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=False)
    return load_batches(reading, collate, workers=0)
