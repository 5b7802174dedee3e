"""`train pretrain`: builds what is trained, the stream and the sinks, and lets the trainer run."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import torch
from rich.console import Console

from configs.loading import dump
from train import runs
from train.batch import Batch
from train.checkpoint import SetState, TrainState, Writer
from train.commands.assembly import chosen_device, settings_of
from train.commands.learner import new_learner, restored_learner
from train.commands.looks import drawing, scoring
from train.commands.request import Request
from train.config import TrainConfig
from train.cost import flops_per_step
from train.course import Course
from train.data.collate import Collate
from train.data.loader import load as load_batches
from train.data.sets import training
from train.data.tokenizer import Tokenizer
from train.distributed import ALONE, Company, Place
from train.hardware import peak_flops
from train.metrics import JsonLines, Pictures, Silent, Sink, Tee, TensorBoard
from train.pace import Machine
from train.progress import progress_sink
from train.schedule import Plateau
from train.trainer import Parts, Trainer
from train.weights_and_biases import WeightsAndBiases


def pretrain(request: Request, console: Console, company: Company | None = None) -> TrainState:
    """Train to the last step, or until interrupted."""
    company = company or Company(ALONE)
    config = request.config
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    device = chosen_device(config.trainer.device, company.place)
    start = _state(request)
    if request.resumed:
        learner = restored_learner(request, request.resumed, company, device)
    else:
        learner = new_learner(request, company, device)
    # Only now is a folder made: what is wrong with the request has shown by here.
    company.from_first(lambda: _leave_settings(request))
    with (
        closing(_training_batches(request, learner.tokenizer, start, company.place)) as batches,
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
            evaluate=scoring(request, learner),
            sheet=drawing(request, learner),
            sink=sink,
            writer=_writer(request, learner.tokenizer),
            machine=_machine(config, learner.tokenizer, company.place, device),
        )
        return Trainer(config.trainer, config.optim, parts, seed=config.seed).fit(start)


def _leave_settings(request: Request) -> None:
    request.run.mkdir(parents=True, exist_ok=True)
    (request.run / "config.yaml").write_text(dump(request.config), encoding="utf-8")
    runs.write_versions(request.run)
    if request.resumed:
        _writer(request, request.resumed.tokenizer).point_at(request.resumed.folder)  # it may not be the latest


def _state(request: Request) -> TrainState:
    if request.resumed:
        state = request.resumed.state
        if settings_of(request.resumed).objective != request.config.objective:
            # Another loss: what the old one had come to says nothing of it.
            plateau = Plateau(reduced=state.plateau.reduced)
            state = replace(state, course=Course(), plateau=plateau)
        named = zip(state.sets, request.sources, strict=True)
        return replace(state, sets=tuple(replace(each, path=source.name) for each, source in named))  # may have moved
    sets = tuple(SetState(path=source.name, digest=source.digest) for source in request.sources)
    return TrainState(step=0, sets=sets)


def _training_batches(request: Request, tokenizer: Tokenizer, start: TrainState, place: Place) -> Generator[Batch]:
    config = request.config
    reading = training(
        request.sources,
        config.data,
        seed=config.seed,
        positions=start.positions,
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
    if config.wandb:
        sinks.append(WeightsAndBiases(run, project=config.wandb, settings=request.config.model_dump(mode="json")))
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
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    peak = peak_flops(name, config.trainer.precision)
    return Machine(
        device=device,
        flops_per_row=flops_per_step(config, tokenizer.vocabulary) / config.data.batch_size,
        peak_flops=None if peak is None else peak * place.world,
    )
