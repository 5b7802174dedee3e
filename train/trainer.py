"""The loop: next batches, losses, backward, clip, step, log, evaluate, save.

Everything it works with is built elsewhere and handed in. The next step depends only on what a checkpoint holds:
weights, optimizer, the weights' mean, step and position in the data; what chance decides follows from the seed and the
step. On a CPU a run that was stopped therefore goes on bit for bit; a GPU may add in another order and differ in the
last bits. The loop never waits for a GPU but where it logs, evaluates or saves.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from configs.loading import Config
from train.batch import Batch
from train.checkpoint import TrainState, Weights, Writer
from train.distributed import Company
from train.ema import Ema
from train.errors import Diverged
from train.interruption import Met, interrupts_wait
from train.metrics import Sink
from train.models.vilt import Vilt
from train.objectives.base import Objective
from train.optim import OptimConfig, learning_rate, set_learning_rate
from train.pace import Machine, Pace
from train.parallel import Parallel, is_cut, whole, whole_weights
from train.step import TOTAL, Learnt, Micro, Stepper, autocast, chance

logger = logging.getLogger(__name__)

NORM = "gradient_norm"

_GO_ON = (
    "so training stopped and the last good checkpoint, if there is one, was kept: "
    "go on from it with --resume and a lower optim.lr."
)


class TrainerConfig(Config):
    """Settings of the loop."""

    steps: int = Field(100_000, ge=1)
    log_every: int = Field(50, ge=1)  # steps
    save_every: int = Field(1000, ge=1)  # steps; the last step is always saved
    keep: int = Field(2, ge=1)  # newest checkpoints kept
    keep_every: int = Field(0, ge=0)  # steps; checkpoints at multiples of it are kept for good; 0 keeps none so
    evaluate_every: int = Field(0, ge=0)  # steps; retrieval on the val split, 0 never
    sheet_every: int = Field(0, ge=0)  # steps; a picture of what is hidden and what is rebuilt, 0 never
    wandb: str = ""  # project of Weights & Biases to log to as well
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # torch.compile of the transformer's blocks: minutes at the start, faster steps
    parallel: Parallel = "ddp"  # several processes hold a copy each, or ("fsdp") a shard of one
    accumulate: int = Field(1, ge=1)  # micro batches a step: less memory; contrast and matching see only one at a time
    max_skips: int = Field(10, ge=1)  # steps in a row without a finite gradient that are borne
    divergence: float = Field(0.7, ge=0)  # stop if this share of what the loss had fallen is lost again; 0 never
    threads: int = Field(0, ge=0)  # of the CPU; 0 leaves torch's choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the loop works with."""

    model: Vilt
    called: nn.Module  # the model with what it learns, as spread over the processes
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    objective: Objective[Any]
    company: Company
    batches: Iterator[Batch]  # endless, from the state's positions on
    evaluate: Callable[[], Mapping[str, float]] | None
    sheet: Callable[[], bytes] | None  # PNG
    sink: Sink
    writer: Writer
    machine: Machine


class Trainer:
    """Trains the parts' model, in place."""

    def __init__(self, config: TrainerConfig, optim: OptimConfig, parts: Parts, *, seed: int) -> None:
        self._config = config
        self._optim = optim
        self._parts = parts
        self._seed = seed
        self._device = next(parts.model.parameters()).device
        self._stepper = Stepper(parts.called, parts.optimizer, clip=optim.clip, bf16=config.precision == "bf16")
        self._pace = Pace(parts.machine)

    def fit(self, state: TrainState) -> TrainState:
        """Train from `state` to the last step, or to the step in which the user interrupts; save; return the state.

        Raises Diverged when the loss is no longer a number or runs away; the checkpoints before that stay.
        """
        config = self._config
        saved = state.step
        with interrupts_wait() as met:
            while state.step < config.steps and not self._interrupted(met):
                met.in_step = state.step + 1
                positions, learnt = self._learn(state)
                state = state.after(positions)
                last = state.step == config.steps
                if last or state.step % config.log_every == 0:
                    state = self._log(state, learnt)
                self._look(state.step, last=last)
                if last or state.step % config.save_every == 0:  # after the evaluation: nobody would make up for it
                    self._save(state)
                    saved = state.step
            if state.step > saved:
                self._save(state)
        return state

    def _interrupted(self, met: Met) -> bool:
        """All processes stop after the same step, whichever of them the signal reached."""
        return self._parts.company.any(met.interrupted)

    def _learn(self, state: TrainState) -> tuple[tuple[Any, ...], Learnt]:
        """One step; and where reading goes on after it."""
        parts, config = self._parts, self._config
        rate = learning_rate(self._optim, state.step, steps=config.steps, reduced=state.plateau.reduced)
        set_learning_rate(parts.optimizer, rate)
        batches = (self._next_batch() for _ in range(config.accumulate))
        after: list[tuple[Any, ...]] = []

        def micros() -> Iterator[Micro]:
            for number, batch in enumerate(batches):
                after.append(batch.after)
                yield self._micro(batch, step=state.step, number=number)

        learnt = self._stepper.take(micros(), count=config.accumulate)
        parts.model.limit_scale()
        if parts.ema is not None:
            parts.ema.update(state.step)
        return after[-1], learnt

    def _next_batch(self) -> Batch:
        with self._pace.waiting():
            batch = next(self._parts.batches)
        self._pace.rows += len(batch.keys) * self._parts.company.place.world
        return batch

    def _micro(self, batch: Batch, *, step: int, number: int) -> Micro:
        seed = chance(self._seed, step=step, micro=number, rank=self._parts.company.place.rank)
        drawn = self._parts.objective.draw(batch, torch.Generator().manual_seed(seed))
        return Micro(batch=batch.to(self._device), drawn=drawn.to(self._device), seed=seed)

    def _log(self, state: TrainState, learnt: Learnt) -> TrainState:
        """The step's numbers to the sink; what the schedule and the watch over the loss make of them to the state."""
        parts = self._parts
        skips = self._stepper.skips()
        found = torch.stack([*learnt.values.values(), learnt.gradient_norm, skips.steps, skips.most_in_a_row])
        *means, norm, skipped, in_a_row = parts.company.mean(found.double().cpu()).tolist()
        values = dict(zip(learnt.values, means, strict=True)) | {NORM: norm, "skipped_steps": skipped}
        values |= {"learning_rate": parts.optimizer.param_groups[0]["lr"] / parts.optimizer.param_groups[0]["lr_scale"]}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        parts.sink.log(state.step, finite | self._pace.figures())
        self._pace = Pace(parts.machine)
        if skipped:
            _tell_broken(values, state.step, skipped=int(skipped))
            if in_a_row >= self._config.max_skips:
                raise Diverged(f"{int(in_a_row)} steps in a row had no finite gradient by step {state.step}, {_GO_ON}")
        return self._judged(state, values[TOTAL]) if math.isfinite(values[TOTAL]) else state

    def _judged(self, state: TrainState, loss: float) -> TrainState:
        course = state.course.after(loss)
        if course.diverged(share=self._config.divergence):
            raise Diverged(
                f"The loss has risen from {course.lowest:.3g} to {course.smooth:.3g} by step {state.step}, {_GO_ON}"
            )
        steps = self._config.log_every
        plateau = state.plateau
        if self._optim.schedule.kind == "plateau" and state.step % steps == 0:
            settings = self._optim.schedule.plateau
            plateau = plateau.after(loss * steps, steps=steps, config=settings, least=self._optim.final_lr)
        return replace(state, course=course, plateau=plateau)

    def _look(self, step: int, *, last: bool) -> None:
        """Evaluate and draw when it is time, with the weights' mean if there is one."""
        parts, config = self._parts, self._config
        evaluate = parts.evaluate if _due(step, config.evaluate_every, last=last) else None
        sheet = parts.sheet if _due(step, config.sheet_every, last=last) else None
        if evaluate is None and sheet is None:
            return
        with ExitStack() as stack:
            if parts.ema is not None:
                stack.enter_context(parts.ema.applied())
            stack.enter_context(whole_weights(parts.called))
            stack.enter_context(autocast(self._device, bf16=config.precision == "bf16"))
            if evaluate is not None:
                parts.sink.log(step, evaluate())
            if sheet is not None:
                parts.sink.picture(step, "sheet", sheet())
        self._pace = Pace(parts.machine)

    def _save(self, state: TrainState) -> None:
        parts = self._parts
        _check_weights(parts.model, state.step)
        weights: Weights | None = None
        if parts.company.place.first or is_cut(parts.called):
            weights = Weights.gathered(parts.model, parts.optimizer, parts.ema)

        def save() -> None:
            assert weights is not None
            parts.writer.save(weights, state)

        parts.company.from_first(save)


def _due(step: int, every: int, *, last: bool) -> bool:
    return bool(every) and (last or step % every == 0)


def _tell_broken(values: Mapping[str, float], step: int, *, skipped: int) -> None:
    terms = [name for name, value in values.items() if name not in (TOTAL, NORM) and not math.isfinite(value)]
    which = f"the loss {terms[0].removeprefix('loss/')}" if terms else "the gradient"
    logger.warning("Up to step %d, %d step(s) were passed over: %s was not a number.", step, skipped, which)


def _check_weights(model: Vilt, step: int) -> None:
    """The last update may have broken them after a loss that was still a number; such weights are not saved."""
    for name, parameter in model.named_parameters():
        if not whole(parameter).isfinite().all():
            raise Diverged(f"The weight {name} is not a number after step {step}, {_GO_ON}")
