"""`train pretrain`: builds what is trained, the stream and the sinks, and lets the trainer run."""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import replace

import torch
from rich.console import Console

from configs.loading import dump
from shards.manifest import Manifest
from train import runs
from train.batch import Batch
from train.checkpoint import SetState, TrainState, Writer
from train.commands.assembly import chosen_device, evaluation_batches, subject_of
from train.commands.learner import Learner, new_learner, restored_learner
from train.commands.request import Request
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.loader import load as load_batches
from train.data.order import Position
from train.data.sets import training
from train.data.source import source_of
from train.data.tokenizer import Tokenizer
from train.distributed import ALONE, Company, Place
from train.evaluation.retrieval import Retrieval
from train.evaluation.routes import open_routes
from train.metrics import JsonLines, Pictures, Silent, Sink, Tee, TensorBoard
from train.pace import Machine
from train.progress import progress_sink
from train.trainer import Parts, Trainer

logger = logging.getLogger(__name__)


def pretrain(request: Request, console: Console, company: Company | None = None) -> TrainState:
    """Train to the last step, or until interrupted."""
    company = company or Company(ALONE)
    config = request.config
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    device = chosen_device(config.trainer.device, company.place)
    manifest = Manifest.load(request.shards)
    start = _state(request, manifest)
    if request.resumed:
        learner = restored_learner(request, request.resumed, company, device)
    else:
        learner = new_learner(request, manifest, company, device)
    # Only now is a folder made: what is wrong with the request has shown by here.
    company.from_first(lambda: _leave_settings(request))
    with (
        closing(_training_batches(request, manifest, learner.tokenizer, start.positions[0], company.place)) as batches,
        closing(_sink(request, console, company.place, done=start.step)) as sink,
    ):
        parts = Parts(
            model=learner.model,
            called=learner.called,
            optimizer=learner.optimizer,
            ema=learner.ema,
            objective=learner.objective,
            company=company,
            batches=batches,
            evaluate=_evaluation(request, manifest, learner),
            sheet=None,
            sink=sink,
            writer=_writer(request, learner.tokenizer),
            machine=_machine(config, learner.tokenizer, company.place, device),
        )
        return Trainer(config.trainer, config.optim, parts, seed=config.seed).fit(start)


def _leave_settings(request: Request) -> None:
    request.run.mkdir(parents=True, exist_ok=True)
    (request.run / "config.yaml").write_text(dump(request.config), encoding="utf-8")
    runs.write_versions(request.run)


def _state(request: Request, manifest: Manifest) -> TrainState:
    path = str(request.shards.resolve())
    if request.resumed:
        state = request.resumed.state
        return replace(state, sets=tuple(replace(each, path=path) for each in state.sets))  # it may have been moved
    return TrainState(step=0, sets=(SetState(path=path, digest=manifest.digest),))


def _training_batches(
    request: Request, manifest: Manifest, tokenizer: Tokenizer, start: Position, place: Place
) -> Generator[Batch]:
    config = request.config
    reading = training(
        [source_of(request.shards, manifest)],
        config.data,
        seed=config.seed,
        positions=[start],
        place=place,
        accumulate=config.trainer.accumulate,
    )
    collate = Collate(config=config.data, tokenizer=tokenizer, seed=config.seed, training=True)
    return load_batches(reading, collate, workers=config.data.workers)


def _sink(request: Request, console: Console, place: Place, *, done: int) -> Sink:
    if not place.first:
        return Silent()
    run, config = request.run, request.config.trainer
    sinks: list[Sink] = [
        JsonLines(run, after_step=done),
        TensorBoard(run, after_step=done),
        Pictures(run, after_step=done),
        progress_sink(console, done=done, steps=config.steps),
    ]
    return Tee(sinks)


def _writer(request: Request, tokenizer: Tokenizer) -> Writer:
    return Writer(
        folder=request.run / runs.CHECKPOINTS,
        settings=dump(request.config),
        tokenizer=tokenizer,
        keep=request.config.trainer.keep,
        keep_every=request.config.trainer.keep_every,
    )


def _machine(config: TrainConfig, tokenizer: Tokenizer, place: Place, device: torch.device) -> Machine:
    return Machine(device=device, flops_per_row=0.0, peak_flops=None)


def _evaluation(request: Request, manifest: Manifest, learner: Learner) -> Callable[[], Mapping[str, float]] | None:
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
