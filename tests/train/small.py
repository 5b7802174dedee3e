"""Settings of a model small enough to train within seconds."""

import torch

from configs.loading import load
from train.commands.assembly import make_model
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
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
