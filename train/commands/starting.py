"""Which weights a new model starts with, where it is not to learn everything from nothing."""

from pathlib import Path

from train import runs
from train.checkpoint import EMA_NAME, MODEL_NAME, Checkpoint
from train.commands.assembly import settings_of
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.errors import InitialisationError
from train.models.initialise import start_from_vit
from train.models.initialise_own import refuse_other_geometry, start_from_own
from train.models.initialise_text import start_from_bert
from train.models.vilt import Vilt
from train.models.weights import read_weights


def start(model: Vilt, config: TrainConfig, tokenizer: Tokenizer) -> None:
    """Give `model`, whose weights are random, those that model.start_from and model.text_from name.

    Raises InitialisationError where they do not fit, and what opening a run or checkpoint raises.
    """
    source = config.model.start_from
    if source and Path(source).is_dir():
        _start_from_run(model, config, tokenizer)
    elif source:
        start_from_vit(model, source)
    if config.model.text_from:
        start_from_bert(model, config.model.text_from, tokenizer.pieces.get_vocab(with_added_tokens=True))


def _start_from_run(model: Vilt, config: TrainConfig, tokenizer: Tokenizer) -> None:
    source = config.model.start_from
    checkpoint = Checkpoint.open(runs.checkpoint_of(Path(source)))
    theirs = settings_of(checkpoint)
    refuse_other_geometry(source, theirs=theirs.model, ours=config.model)
    if theirs.data.text_length != config.data.text_length:
        raise InitialisationError(
            f"{source} does not fit: it was trained with data.text_length={theirs.data.text_length}, this model has "
            f"{config.data.text_length}. Set data.text_length={theirs.data.text_length}."
        )
    if _pieces(checkpoint.tokenizer) != _pieces(tokenizer):
        raise InitialisationError(
            f"{source} has another vocabulary than this model, so its word embeddings would mean other words. "
            f"Set tokenizer.source={checkpoint.folder / 'tokenizer'}."
        )
    weights = read_weights(checkpoint.folder / MODEL_NAME)
    if (checkpoint.folder / EMA_NAME).is_file():
        weights |= read_weights(checkpoint.folder / EMA_NAME)  # the mean is what the run is used by
    start_from_own(model, source, weights)


def _pieces(tokenizer: Tokenizer) -> tuple[dict[str, int], tuple[int, ...]]:
    return tokenizer.pieces.get_vocab(with_added_tokens=True), tokenizer.special
