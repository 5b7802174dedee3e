"""The loop: next batches, losses, backward, clip, step, log, evaluate, save.

Everything it works with is built elsewhere and handed in. The next step depends only on what a checkpoint holds:
weights, optimizer, the weights' mean, step and position in the data; what chance decides follows from the seed and the
step. On a CPU a run that was stopped therefore goes on bit for bit; a GPU may add in another order and differ in the
last bits. The loop never waits for a GPU but where it logs, shows or saves.

A line of the log is the mean over the steps since the line before. One is written before each checkpoint, too, so that
none stands between two lines: what a run logs after a checkpoint is the same whether or not it was stopped there.
Where it was stopped elsewhere a line is written, too, but the loss is judged where it would have been without that.

What fails in one process alone (reading, showing, writing a line) is kept until all processes have agreed to stop after
the same whole step, and have saved it.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from configs.loading import Config
from train.batch import Batch
from train.distributed import Company
from train.ema import Ema
from train.errors import Diverged
from train.interruption import Met, WaitBroken, interrupts_wait
from train.look import Look
from train.metrics import Sink
from train.models.vilt import Vilt
from train.objectives.base import Objective
from train.optim import OptimConfig, learning_rate, set_learning_rate
from train.pace import Machine, Pace
from train.parallel import Parallel, is_cut, whole, whole_weights
from train.saving import Weights, Writer
from train.state import TrainState
from train.step import TOTAL, Micro, Stepper, autocast, chance
from train.tally import NORM, Interval, Tally

logger = logging.getLogger(__name__)

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
    evaluate_samples: int = Field(1000, ge=0)  # of the val split, evenly spread over it, held in memory; 0 all
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

    @model_validator(mode="after")
    def _only_what_is_saved_is_kept(self) -> "TrainerConfig":
        if self.keep_every % self.save_every:
            raise ValueError(
                f"keep_every={self.keep_every} must be a multiple of save_every={self.save_every}: "
                "at other steps there is no checkpoint to keep"
            )
        return self


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
    looks: tuple[Look, ...]  # the same in all processes if each holds a part of the weights, else of the first only
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
        self._tally = Tally(self._device)
        self._pace = Pace(parts.machine)
        self._failure: Exception | None = None

    def fit(self, state: TrainState) -> TrainState:
        """Train from `state` to the last step, or to the step in which the user interrupts; save; return the state.

        Raises Diverged when the loss is no longer a number or runs away; the checkpoints before that stay. What fails
        in reading or showing leaves after the last whole step was saved.
        """
        config = self._config
        saved = state.step
        with interrupts_wait() as met:
            self._look(state.step)
            while state.step < config.steps and (batches := self._agreed_batches(met)):
                met.in_step = state.step + 1
                state = self._learn(state, batches)
                met.in_step = None
                if self._is_due(state.step, config.log_every):
                    state = self._log(state)
                if self._is_due(state.step, config.save_every):
                    state = self._save(state)
                    saved = state.step
                self._look(state.step)
            if state.step > saved:
                state = self._save(state)
        self._parts.company.fail_together(self._failure)
        return state

    def _is_due(self, step: int, every: int) -> bool:
        return step == self._config.steps or step % every == 0

    def _agreed_batches(self, met: Met) -> list[Batch]:
        """The micro batches of the next step; none if one of the processes was interrupted or has failed."""
        batches: list[Batch] = []
        if not met.interrupted and self._failure is None:
            with suppress(WaitBroken), self._failure_kept(), self._pace.waiting(), met.waiting():
                batches = [next(self._parts.batches) for _ in range(self._config.accumulate)]
        stop = met.interrupted or self._failure is not None
        return [] if self._parts.company.any(stop) else batches

    @contextmanager
    def _failure_kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is, the others must not wait for ever, and the work is to be saved
            self._failure = self._failure or error

    def _learn(self, state: TrainState, batches: list[Batch]) -> TrainState:
        """One step."""
        parts = self._parts
        rate = learning_rate(self._optim, state.step, steps=self._config.steps, reduced=state.plateau.reduced)
        set_learning_rate(parts.optimizer, rate)
        micros = (self._micro(batch, step=state.step, number=number) for number, batch in enumerate(batches))
        learnt = self._stepper.take(micros, count=len(batches))
        parts.model.limit_scale()
        if parts.ema is not None:
            parts.ema.update(state.step)
        self._tally.add(learnt, replaced=sum(batch.replaced for batch in batches))
        self._pace.step()
        return state.after(batches[-1].after)

    def _micro(self, batch: Batch, *, step: int, number: int) -> Micro:
        seed = chance(self._seed, step=step, micro=number, rank=self._parts.company.place.rank)
        drawn = self._parts.objective.draw(batch, torch.Generator().manual_seed(seed))
        return Micro(batch=batch.to(self._device), drawn=drawn.to(self._device), seed=seed)

    def _log(self, state: TrainState) -> TrainState:
        """A line of the steps since the last one; what the schedule and the watch over the loss make of it."""
        if not self._tally.steps:
            return state
        interval = self._tally.interval(self._parts.company)
        self._tell(interval, state.step)
        if interval.most_in_a_row >= self._config.max_skips:
            raise Diverged(
                f"{interval.most_in_a_row} steps in a row had no finite gradient by step {state.step}, {_GO_ON}"
            )
        return self._judged(state, interval)

    def _tell(self, interval: Interval, step: int) -> None:
        group = self._parts.optimizer.param_groups[0]
        values = interval.means | {
            "learning_rate": group["lr"] / group["lr_scale"],
            "skipped_steps": interval.skipped,
            "replaced_samples": interval.replaced,
        }
        with self._failure_kept():
            self._parts.sink.log(step, values | self._pace.figures())
        self._pace = Pace(self._parts.machine)
        if interval.skipped:
            logger.warning(
                "Up to step %d, %d step(s) were passed over: %s was not a number.",
                step,
                interval.skipped,
                _what_broke(interval),
            )

    def _judged(self, state: TrainState, interval: Interval) -> TrainState:
        unjudged, config = state.course.unjudged.with_next(interval.losses), self._config
        cut = not self._is_due(state.step, config.log_every) and not self._is_due(state.step, config.save_every)
        if cut or not unjudged.numbers:
            return replace(state, course=replace(state.course, unjudged=unjudged))
        loss = unjudged.total / unjudged.numbers
        course = state.course.after(loss)
        if course.diverged(share=config.divergence):
            raise Diverged(
                f"The loss has risen from {course.lowest:.3g} to {course.smooth:.3g} by step {state.step}, {_GO_ON}"
            )
        schedule, plateau = self._optim.schedule, state.plateau
        if schedule.kind == "plateau":
            steps, least = unjudged.steps, self._optim.final_lr
            plateau = plateau.after(loss * steps, steps=steps, config=schedule.plateau, least=least)
        return replace(state, course=course, plateau=plateau)

    def _look(self, step: int) -> None:
        """Show what is due, with the weights' mean if there is one."""
        parts = self._parts
        due = [look for look in parts.looks if look.is_due(step, last=step == self._config.steps)]
        if not due:
            return
        with self._failure_kept(), self._pace.paused(), ExitStack() as stack:
            if parts.ema is not None:
                stack.enter_context(parts.ema.applied())
            stack.enter_context(whole_weights(parts.called))
            stack.enter_context(autocast(self._device, bf16=self._config.precision == "bf16"))
            for look in due:
                with self._failure_kept():  # of each alone: the other processes go on and wait in the next one
                    look.show(step, parts.sink)

    def _save(self, state: TrainState) -> TrainState:
        """With what the steps since the last line make of it."""
        parts, state = self._parts, self._log(state)
        _check_weights(parts.model, state.step)
        weights: Weights | None = None
        if parts.company.place.first or is_cut(parts.called):
            weights = Weights.gathered(parts.model, parts.optimizer, parts.ema)

        def save() -> None:
            assert weights is not None
            parts.writer.save(weights, state)

        parts.company.from_first(save)
        return state


def _what_broke(interval: Interval) -> str:
    terms = [name for name in interval.broken if name not in (TOTAL, NORM)]
    return f"the loss {terms[0].removeprefix('loss/')}" if terms else "the gradient"


def _check_weights(model: Vilt, step: int) -> None:
    """The last update may have broken them after a loss that was still a number; such weights are not saved."""
    for name, parameter in model.named_parameters():
        if not whole(parameter).isfinite().all():
            raise Diverged(f"The weight {name} is not a number after step {step}, {_GO_ON}")
