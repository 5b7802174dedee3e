"""What `train pretrain` trains: a model with what it learns, spread over the processes, and its optimizer."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from train.checkpoint import Checkpoint
from train.commands.assembly import make_model
from train.commands.objective import make_objective, tell_of_missing_modes
from train.commands.request import Request
from train.commands.starting import start
from train.config import TrainConfig
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
from train.rows import Rows
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
    rows: Rows  # of a micro batch


def new_learner(request: Request, rows: Rows, company: Company, device: torch.device) -> Learner:
    """With weights drawn from the seed, or taken from where model.start_from says."""
    words = company.from_first(lambda: _read_words(request))
    model = company.each(lambda: _new_model(request, words))
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    logger.info("%.1f million parameters on %s, %d process(es)", millions, device, company.place.world)
    return _assembled(request.config, words.tokenizer, model.to(device), rows, company)


def restored_learner(request: Request, rows: Rows, company: Company, device: torch.device) -> Learner:
    """As it was when the checkpoint was written that is to be resumed."""
    assert request.resumed is not None
    checkpoint = request.resumed
    model = company.each(lambda: _restored_model(request.config, checkpoint))
    learner = _assembled(request.config, checkpoint.tokenizer, model.to(device), rows, company)
    company.each(lambda: _restore_memory(learner, checkpoint))
    return learner


def _new_model(request: Request, words: "_Words") -> Vilt:
    model = make_model(request.config, words.tokenizer)
    model.bag_head.idf_V.copy_(words.idf_V)
    start(model, request.config, words.tokenizer)
    return model


def _restored_model(config: TrainConfig, checkpoint: Checkpoint) -> Vilt:
    model = make_model(config, checkpoint.tokenizer)
    checkpoint.load_model(model)
    return model


def _restore_memory(learner: Learner, checkpoint: Checkpoint) -> None:
    checkpoint.load_optimizer(learner.model, learner.optimizer)
    if learner.ema is not None:
        checkpoint.load_ema(learner.ema)


def _assembled(config: TrainConfig, tokenizer: Tokenizer, model: Vilt, rows: Rows, company: Company) -> Learner:
    objective = make_objective(config, tokenizer)
    tell_of_missing_modes(config, rows)
    for parameter in untaught(model, config.objective, rows).values():
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
        rows=rows,
    )


def compile_blocks(model: Vilt) -> None:
    """Block by block: quick to compile, as all blocks share their code, and FSDP2 may cut between them.

    Raises what require_compiler does.
    """
    require_compiler(next(model.parameters()).device)
    logger.info("The first steps compile the model, which may take minutes.")
    torch._dynamo.config.recompile_limit = SHAPES
    for block in (*model.blocks, *model.decoder.blocks):
        block.compile(dynamic=False)


def require_compiler(device: torch.device) -> None:
    """Raises RequestError on a CPU without a C++ compiler."""
    if device.type != "cuda" and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise RequestError(
            "trainer.compile=true needs a C++ compiler where there is no GPU, and neither g++ nor clang++ is here: "
            "install one, or leave the setting out."
        )


@contextmanager
def compiler_errors_told() -> Iterator[None]:
    """Raises RequestError, a sentence, in place of the pages that a compiler says when it fails or is interrupted."""
    from torch._dynamo.exc import TorchDynamoException  # with it comes the compiler, which few runs need
    from torch._inductor.exc import CppCompileError

    try:
        yield
    except (TorchDynamoException, CppCompileError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RequestError(
            f"Compiling the model failed or was interrupted ({reason:.200}): leave trainer.compile out, "
            "or see all that the compiler says with --debug."
        ) from error


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
