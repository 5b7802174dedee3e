"""`train pretrain`: builds what is trained, the stream and the sinks, and lets the trainer run."""

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import replace

import torch
from rich.console import Console

from configs.loading import dump
from train import claim, runs
from train.batch import Batch
from train.commands.agreement import refuse_another_view
from train.commands.assembly import chosen_device, settings_of
from train.commands.doubts import tell_doubts
from train.commands.learner import Learner, compiler_errors_told, new_learner, require_compiler, restored_learner
from train.commands.looks import looks
from train.commands.request import Request, rows_by_kind
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
from train.rows import Rows
from train.saving import Writer
from train.schedule import Plateau
from train.state import SetState, TrainState
from train.trainer import Parts, Trainer
from train.weights_and_biases import WeightsAndBiases


def pretrain(request: Request, console: Console, company: Company | None = None) -> TrainState:
    """Train to the last step, or until interrupted. What can be refused is refused before anything slow is done."""
    company = company or Company(ALONE)
    config, place = request.config, company.place
    with ExitStack() as stack:
        company.from_first(lambda: stack.enter_context(claim.held(request.run)))
        with _folder(request, place):
            device = company.each(lambda: _ready_device(config, place))
            rows = company.from_first(lambda: rows_by_kind(request, place))
            company.each(lambda: refuse_another_view(request, place))
            tell_doubts(request)
            state = _state(request, rows)
            make_learner = restored_learner if request.resumed else new_learner
            learner = make_learner(request, rows, company, device)
            company.from_first(lambda: _leave_settings(request))
            parts = company.each(lambda: _parts(request, learner, company, state, console, stack))
        if config.trainer.compile:
            stack.enter_context(compiler_errors_told())
        return Trainer(config.trainer, config.optim, parts, seed=config.seed).fit(state)


def _ready_device(config: TrainConfig, place: Place) -> torch.device:
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    device = chosen_device(config.trainer.device, place)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if config.trainer.compile:
        require_compiler(device)
    return device


def _folder(request: Request, place: Place) -> AbstractContextManager[None]:
    """In it the run is set up, by the first process; if that fails, a new one leaves nothing behind."""
    if request.resumed or not place.first:
        return nullcontext()
    return claim.beginning(request.run, made=request.made)


def _leave_settings(request: Request) -> None:
    sets = [source.name for source in request.sources]
    runs.leave_request(request.run, settings=dump(request.config), sets=sets)
    if request.resumed:
        _writer(request, request.resumed.tokenizer).point_at(request.resumed.folder)  # it may not be the latest


def _state(request: Request, rows: Rows) -> TrainState:
    if request.resumed:
        state = request.resumed.state
        if settings_of(request.resumed).objective != request.config.objective:
            # Another loss: what the old one had come to says nothing of it.
            plateau = Plateau(reduced=state.plateau.reduced)
            state = replace(state, course=Course(), plateau=plateau)
        named = zip(state.sets, request.sources, strict=True)
        sets = tuple(replace(each, path=source.name) for each, source in named)  # they may have moved
        return replace(state, sets=sets, rows=rows)
    sets = tuple(SetState(path=source.name, digest=source.digest) for source in request.sources)
    return TrainState(step=0, sets=sets, rows=rows)


def _parts(
    request: Request, learner: Learner, company: Company, start: TrainState, console: Console, stack: ExitStack
) -> Parts:
    place, tokenizer = company.place, learner.tokenizer
    shown = looks(request, learner, company)  # first, as the processes agree in it
    batches = stack.enter_context(closing(_training_batches(request, learner, start, place)))
    sink = stack.enter_context(closing(_sink(request, console, place, done=start.step)))  # last: what it shows is live
    return Parts(
        model=learner.model,
        called=learner.called,
        optimizer=learner.optimizer,
        ema=learner.ema,
        objective=learner.objective,
        company=company,
        batches=batches,
        looks=shown,
        sink=sink,
        writer=_writer(request, tokenizer),
        machine=_machine(request.config, learner, place),
    )


def _training_batches(request: Request, learner: Learner, start: TrainState, place: Place) -> Generator[Batch]:
    config = request.config
    reading = training(
        request.sources,
        config.data,
        seed=config.seed,
        positions=start.positions,
        place=place,
        accumulate=config.trainer.accumulate,
    )
    collate = Collate(config=config.data, tokenizer=learner.tokenizer, seed=config.seed, training=True)
    on_gpu = next(learner.model.parameters()).is_cuda
    return load_batches(reading, collate, workers=config.data.workers, pin=on_gpu)


def _sink(request: Request, console: Console, place: Place, *, done: int) -> Sink:
    if not place.first:
        return Silent()
    run, config = request.run, request.config.trainer
    sinks: list[Sink] = []
    if config.wandb:  # the first, for it alone may refuse
        sinks.append(WeightsAndBiases(run, project=config.wandb, settings=request.config.model_dump(mode="json")))
    sinks += [
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


def _machine(config: TrainConfig, learner: Learner, place: Place) -> Machine:
    device = next(learner.model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    peak = peak_flops(name, config.trainer.precision)
    micros = place.world * config.trainer.accumulate
    lone = learner.rows.texts * micros, learner.rows.images * micros
    return Machine(
        device=device,
        rows_per_step=config.data.batch_size,
        flops_per_step=flops_per_step(config, learner.tokenizer.vocabulary, lone=lone),
        peak_flops=None if peak is None else peak * place.world,
    )
