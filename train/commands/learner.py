"""What `train pretrain` trains: a model with what it learns, spread over the processes, and its optimizer."""

import logging
import os
import shutil
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from train.checkpoint import Checkpoint
from train.commands.assembly import make_model
from train.commands.objective import make_objective
from train.commands.request import Request, rows_by_kind
from train.commands.starting import start
from train.data.sets import captions_of
from train.data.tokenizer import Tokenizer, count_pieces, make_tokenizer
from train.distributed import Company
from train.ema import Ema
from train.errors import RequestError
from train.models.vilt import Vilt
from train.objectives.base import Objective
from train.objectives.config import untaught
from train.objectives.losses import inverse_document_frequency
from train.optim import make_optimizer
from train.parallel import spread
from train.step import Learning

logger = logging.getLogger(__name__)

SHAPES = 64  # of a block's input that are compiled: some for each mode, and again for scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What a checkpoint holds, alive."""

    tokenizer: Tokenizer
    model: Vilt
    objective: Objective[Any]
    called: nn.Module  # model and objective as one, as each process calls them
    optimizer: torch.optim.Optimizer
    ema: Ema | None


def new_learner(request: Request, company: Company, device: torch.device) -> Learner:
    """With weights drawn from the seed, or taken from where model.start_from says."""
    words = company.from_first(lambda: _read_words(request))
    model = make_model(request.config, words.tokenizer)
    model.bag_head.idf_V.copy_(words.idf_V)
    start(model, request.config, words.tokenizer)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    logger.info("%.1f million parameters on %s, %d process(es)", millions, device, company.place.world)
    return _assembled(request, words.tokenizer, model.to(device), company)


def restored_learner(request: Request, checkpoint: Checkpoint, company: Company, device: torch.device) -> Learner:
    """As it was when the checkpoint was written."""
    model = make_model(request.config, checkpoint.tokenizer)
    checkpoint.load_model(model)
    learner = _assembled(request, checkpoint.tokenizer, model.to(device), company)
    checkpoint.load_optimizer(model, learner.optimizer)
    if learner.ema is not None:
        checkpoint.load_ema(learner.ema)
    return learner


def _assembled(request: Request, tokenizer: Tokenizer, model: Vilt, company: Company) -> Learner:
    config = request.config
    rows = rows_by_kind(request, company.place)
    objective = make_objective(config, tokenizer, rows)
    for parameter in untaught(model, config.objective, rows=rows.pairs, lone=rows.lone).values():
        parameter.requires_grad_(False)  # DDP waits for the gradients of all that are not frozen
    if config.trainer.compile:
        compile_blocks(model)
    bf16 = config.trainer.precision == "bf16"
    learning = Learning(model, objective)
    called = spread(learning, model, company.place, parallel=config.trainer.parallel, bf16=bf16)
    return Learner(
        tokenizer=tokenizer,
        model=model,
        objective=objective,
        called=called,
        optimizer=make_optimizer(model, config.optim),
        ema=Ema(model, decay=config.optim.ema) if config.optim.ema else None,
    )


def compile_blocks(model: Vilt) -> None:
    """Block by block: quick to compile, as all blocks share their code, and FSDP2 may cut between them.

    Raises RequestError on a CPU without a C++ compiler.
    """
    on_gpu = next(model.parameters()).is_cuda
    if not (on_gpu or any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++")))):
        raise RequestError(
            "trainer.compile=true needs a C++ compiler where there is no GPU, and neither g++ nor clang++ is here: "
            "install one, or leave the setting out."
        )
    torch._dynamo.config.recompile_limit = SHAPES
    for block in (*model.blocks, *model.decoder.blocks):
        block.compile(dynamic=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the training captions taught before the first step."""

    tokenizer: Tokenizer
    idf_V: Tensor


def _read_words(request: Request) -> _Words:
    config = request.config
    said = captions_of(request.sources, skip=config.data.corrupt == "skip")
    captions = [*islice(said, config.tokenizer.max_captions)]
    tokenizer = make_tokenizer(config.tokenizer, captions)
    count = count_pieces(tokenizer, captions, length=config.data.text_length)
    logger.info("%d captions, %d pieces", len(captions), tokenizer.vocabulary)
    if count.cut:
        logger.info(
            "%d of %d captions are longer than data.text_length=%d pieces: what is beyond is not read.",
            count.cut,
            len(captions),
            config.data.text_length,
        )
    idf_V = inverse_document_frequency(count.documents_V, captions=len(captions), special=tokenizer.special)
    return _Words(tokenizer=tokenizer, idf_V=idf_V)
