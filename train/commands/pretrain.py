"""`train pretrain`: builds tokenizer, model, objective, stream and sinks, and lets the trainer run."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from configs.loading import dump
from shards.manifest import Manifest
from shards.reader import read_shard
from train import runs
from train.batch import Batch
from train.checkpoint import Checkpoint, TrainState, Writer, restore_random_states
from train.commands.assembly import (
    chosen_device,
    evaluation_batches,
    make_model,
    restored_model,
    shards_of,
    subject_of,
)
from train.commands.request import Request
from train.config import TrainConfig
from train.data.collate import Collate, caption_of
from train.data.loader import Reading
from train.data.loader import load as load_batches
from train.data.order import Position, ShuffledOrder
from train.data.tokenizer import Tokenizer, count_pieces, make_tokenizer
from train.evaluation.retrieval import Retrieval
from train.evaluation.routes import open_routes
from train.metrics import JsonLines, Tee, TensorBoard
from train.models.initialise import start_from_vit
from train.models.vilt import Vilt
from train.objectives.base import Objective, Together
from train.objectives.contrastive import Contrastive
from train.objectives.losses import inverse_document_frequency
from train.objectives.masked import MaskedModeling
from train.objectives.masks import without_rows
from train.optim import make_optimizer
from train.progress import progress_sink
from train.trainer import Parts, Trainer

logger = logging.getLogger(__name__)


def pretrain(request: Request, console: Console) -> TrainState:
    """Train to the last step, or until interrupted."""
    config = request.config
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    manifest = Manifest.load(request.shards)
    start = _state(request, manifest)
    learner = _restored(request, request.resumed) if request.resumed else _new_learner(request, manifest)
    # Only now is a folder made: what is wrong with the request has shown by here.
    request.run.mkdir(parents=True, exist_ok=True)
    (request.run / "config.yaml").write_text(dump(config), encoding="utf-8")
    runs.write_versions(request.run)
    with (
        closing(_training_batches(request, manifest, learner.tokenizer, start.positions[0])) as batches,
        closing(_sinks(request, console, done=start.step)) as sink,
    ):
        parts = Parts(
            model=learner.model,
            optimizer=learner.optimizer,
            objective=make_objective(config, learner.tokenizer),
            masks=learner.masks,
            batches=batches,
            evaluate=_evaluation(request, manifest, learner),
            sink=sink,
            writer=_writer(request, learner.tokenizer),
        )
        return Trainer(config.trainer, config.optim, parts).fit(start)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learner:
    """What a checkpoint holds, alive."""

    tokenizer: Tokenizer
    model: Vilt
    optimizer: torch.optim.Optimizer
    masks: torch.Generator


def _new_learner(request: Request, manifest: Manifest) -> _Learner:
    config = request.config
    device = chosen_device(config.trainer.device)
    captions = [*islice(_captions(request.shards, manifest), config.tokenizer.max_captions)]
    tokenizer = make_tokenizer(config.tokenizer, captions)
    model = make_model(config, tokenizer)
    count = count_pieces(tokenizer, captions, length=config.data.text_length)
    if count.cut:
        logger.info(
            "%d of %d captions are longer than data.text_length=%d pieces: what is beyond is not read.",
            count.cut,
            len(captions),
            config.data.text_length,
        )
    idf_V = inverse_document_frequency(count.documents_V, captions=len(captions), special=tokenizer.special)
    model.bag_head.idf_V.copy_(idf_V)
    if config.model.start_from:
        start_from_vit(model, config.model.start_from)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    logger.info(
        "%d captions, %d pieces; %.1f million parameters on %s", len(captions), tokenizer.vocabulary, millions, device
    )
    model.to(device)
    torch.manual_seed(config.seed)  # dropout draws from torch's own generator
    return _Learner(
        tokenizer=tokenizer,
        model=model,
        optimizer=make_optimizer(model, config.optim),
        masks=torch.Generator().manual_seed(config.seed),
    )


def _restored(request: Request, checkpoint: Checkpoint) -> _Learner:
    config = request.config
    model = restored_model(config, checkpoint).to(chosen_device(config.trainer.device))
    optimizer = make_optimizer(model, config.optim)
    checkpoint.load_optimizer(model, optimizer)
    masks = torch.Generator()
    restore_random_states(checkpoint.state.random_states, masks, next(model.parameters()).device)
    return _Learner(tokenizer=checkpoint.tokenizer, model=model, optimizer=optimizer, masks=masks)


def _state(request: Request, manifest: Manifest) -> TrainState:
    shards = str(request.shards.resolve())
    if request.resumed:
        return replace(request.resumed.state, shards=shards)  # the set may have been moved
    return TrainState(
        step=0,
        positions=(Position(),),
        shards=shards,
        shards_digest=manifest.digest,
        random_states={},
    )


def _captions(folder: Path, manifest: Manifest) -> Iterator[str]:
    for shard in manifest.of_split("train"):
        for raw in read_shard(folder / shard.name):
            yield caption_of(raw)


def make_objective(settings: TrainConfig, tokenizer: Tokenizer) -> Objective[Any]:
    """The sum of all that is to be learnt."""
    config, rows = settings.objective, settings.data.batch_size
    patches = (settings.data.image_size // settings.model.patch) ** 2
    if missing := without_rows(config, rows):
        logger.warning(
            "data.batch_size=%d is too small for the shares of %s: no row is used so, and their losses are missing.",
            rows,
            ", ".join(missing),
        )
    objectives: list[Objective[Any]] = [
        MaskedModeling(config, config.weights, mask_token=tokenizer.mask, patches=patches)
    ]
    if config.contrastive.weight:
        objectives.append(Contrastive(config.contrastive, patches=patches))
    return Together(objectives)


def _training_batches(request: Request, manifest: Manifest, tokenizer: Tokenizer, start: Position) -> Generator[Batch]:
    config = request.config
    shards = shards_of(request.shards, manifest, "train")
    reading = Reading(
        folder=request.shards,
        order=ShuffledOrder(shards=shards, shards_per_group=config.data.shards_per_group, seed=config.seed),
        epoch_size=manifest.samples("train"),
        batch_size=config.data.batch_size,
        start=start,
    )
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=True)
    return load_batches(reading, collate, workers=config.data.workers)


def _sinks(request: Request, console: Console, *, done: int) -> Tee:
    return Tee(
        [
            JsonLines(request.run, after_step=done),
            TensorBoard(request.run, after_step=done),
            progress_sink(console, done=done, steps=request.config.trainer.steps),
        ]
    )


def _writer(request: Request, tokenizer: Tokenizer) -> Writer:
    return Writer(
        folder=request.run / runs.CHECKPOINTS,
        settings=dump(request.config),
        tokenizer=tokenizer,
        keep=request.config.trainer.keep,
    )


def _evaluation(request: Request, manifest: Manifest, learner: _Learner) -> Callable[[], Mapping[str, float]] | None:
    """Retrieval on the val split by the first route there is, as the trainer calls it; None where that cannot be."""
    config, tokenizer = request.config, learner.tokenizer
    if not config.trainer.evaluate_every:
        return None
    subject = subject_of(config, tokenizer)
    routes = open_routes(subject.learnt)[:1]
    if not (routes and manifest.samples("val")):
        reason = f"the val split of {request.shards} is empty" if routes else "no route of retrieval is trained"
        logger.warning("trainer.evaluate_every=%d does nothing: %s.", config.trainer.evaluate_every, reason)
        return None
    task = Retrieval(subject, routes=routes)

    def evaluate() -> Mapping[str, float]:
        batches = evaluation_batches(request.shards, manifest, "val", config=config, tokenizer=tokenizer)
        found = task.run(learner.model, batches).figures
        return {f"val/{name}": value for name, value in found.items() if name.startswith(f"{routes[0]}.")}

    return evaluate
