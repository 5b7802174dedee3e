"""A model small enough to train within seconds, and what it is given."""

from pathlib import Path

import torch

from configs.loading import load
from train.batch import Batch
from train.commands.assembly import evaluation_batches, make_model
from train.config import TrainConfig
from train.data.source import open_source
from train.data.tokenizer import Tokenizer, train_word_pieces
from train.models.vilt import Vilt

SMALL_SETTINGS = (
    "data.image_size=48",
    "data.text_length=14",
    "data.batch_size=16",
    "data.workers=0",
    "model.width=32",
    "model.depth=2",
    "model.heads=2",
    "model.decoder_width=32",
    "model.decoder_heads=2",
    "model.shared_width=16",
    "optim.warmup_steps=5",
    "trainer.steps=12",
    "trainer.log_every=1",
    "trainer.save_every=4",
)
SMALL = load(TrainConfig, "tiny", SMALL_SETTINGS)


def small_model(config: TrainConfig, tokenizer: Tokenizer) -> Vilt:
    model = make_model(config, tokenizer)
    model.bag_head.idf_V.fill_(1.0)
    model.bag_head.idf_V[torch.tensor(tokenizer.special)] = 0.0
    return model


def small_tokenizer() -> Tokenizer:
    captions = ["a red circle is to the left of a blue square", "a green star is above a black cross"]
    return train_word_pieces(SMALL.tokenizer, captions * 2)


def first_batch(shards: Path) -> Batch:
    """The first 16 training scenes."""
    return next(evaluation_batches(open_source(str(shards)), "train", config=SMALL, tokenizer=small_tokenizer()))
