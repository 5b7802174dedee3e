"""The loop: next batch, losses, backward, clip, step, log, evaluate, save.

Everything it works with is built elsewhere and handed in. The next step depends only on what a checkpoint holds:
weights, optimizer, step, position in the data, and the states of the random number generators. On a CPU a run that
was stopped therefore goes on bit for bit; a GPU may add in another order and differ in the last bits.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch
from train.checkpoint import TrainState, Writer, random_states
from train.errors import Diverged
from train.metrics import Sink
from train.models.vilt import Vilt
from train.objectives.base import Losses, Objective
from train.optim import OptimConfig, learning_rate, set_learning_rate

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
    evaluate_every: int = Field(0, ge=0)  # steps; retrieval on the val split, 0 never
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(0, ge=0)  # of the CPU; 0 leaves torch's choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the loop works with."""

    model: Vilt
    optimizer: torch.optim.Optimizer
    objective: Objective[Any]
    masks: torch.Generator  # the objective's chance
    batches: Iterator[Batch]  # endless, from the state's position on
    evaluate: Callable[[], Mapping[str, float]] | None
    sink: Sink
    writer: Writer


class Trainer:
    """Trains the parts' model, in place."""

    def __init__(self, config: TrainerConfig, optim: OptimConfig, parts: Parts) -> None:
        self._config = config
        self._optim = optim
        self._parts = parts
        self._device = next(parts.model.parameters()).device
        self._pace = _Pace()

    def fit(self, state: TrainState) -> TrainState:
        """Train from `state` to the last step, or to the step in which the user interrupts; save; return the state.

        Raises Diverged when the loss is no longer a number; the checkpoints before that stay.
        """
        config = self._config
        saved = state.step
        with _interrupts_wait() as met:
            while state.step < config.steps and not met.interrupted:
                met.in_step = state.step + 1
                batch = self._next_batch()
                losses, norm = self._learn(batch, step=state.step)
                state = replace(state, step=state.step + 1, positions=batch.after)
                last = state.step == config.steps
                if last or state.step % config.log_every == 0:
                    self._log(state.step, losses, norm)
                if config.evaluate_every and (last or state.step % config.evaluate_every == 0):
                    self._evaluate(state.step)
                if last or state.step % config.save_every == 0:  # after the evaluation: nobody would make up for it
                    saved = self._save(state, losses)
            if state.step > saved:
                self._save(state, losses)
        return state

    def _next_batch(self) -> Batch:
        with self._pace.waiting():
            batch = next(self._parts.batches)
        self._pace.rows += len(batch.keys)
        return batch

    def _learn(self, batch: Batch, *, step: int) -> tuple[Losses, Tensor]:
        parts = self._parts
        parts.model.train()
        set_learning_rate(parts.optimizer, learning_rate(self._optim, step, steps=self._config.steps))
        drawn = parts.objective.draw(batch, parts.masks).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bf16"):
            losses = parts.objective(parts.model, batch.to(self._device), drawn)
        torch.autograd.backward(losses.total)
        norm = torch.nn.utils.clip_grad_norm_(parts.model.parameters(), self._optim.clip)
        parts.optimizer.step()
        parts.model.limit_scale()
        parts.optimizer.zero_grad(set_to_none=True)
        return losses, norm

    def _log(self, step: int, losses: Losses, norm: Tensor) -> None:
        _check_finite(losses, step)
        values = {"loss/total": losses.total.item()}
        values |= {f"loss/{term.name}": term.value.item() for term in losses.terms}
        values["gradient_norm"] = norm.item()
        values["learning_rate"] = self._parts.optimizer.param_groups[0]["lr"]
        values["similarity_scale"] = self._parts.model.scale().item()
        self._parts.sink.log(step, values | self._pace.figures())
        self._pace = _Pace()

    def _save(self, state: TrainState, losses: Losses) -> int:
        _check_finite(losses, state.step)
        _check_weights(self._parts.model, state.step)
        parts = self._parts
        states = random_states(parts.masks, self._device)
        parts.writer.save(parts.model, parts.optimizer, replace(state, random_states=states))
        return state.step

    def _evaluate(self, step: int) -> None:
        if self._parts.evaluate is not None:
            self._parts.sink.log(step, self._parts.evaluate())


class _Pace:
    """Speed since the last log."""

    def __init__(self) -> None:
        self.rows = 0
        self._start = time.perf_counter()
        self._waited = 0.0  # seconds

    @contextmanager
    def waiting(self) -> Iterator[None]:
        asked = time.perf_counter()
        yield
        self._waited += time.perf_counter() - asked

    def figures(self) -> dict[str, float]:
        seconds = time.perf_counter() - self._start
        return {"samples_per_second": self.rows / seconds, "data_wait_share": self._waited / seconds}


def _check_finite(losses: Losses, step: int) -> None:
    if not losses.total.isfinite():
        broken = [term.name for term in losses.terms if not term.value.isfinite()]
        raise Diverged(f"The loss {broken[0] if broken else 'sum'} is not a number at step {step}, {_GO_ON}")


def _check_weights(model: Vilt, step: int) -> None:
    """The last update may have broken them after a loss that was still a number; such weights are not saved."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise Diverged(f"The weight {name} is not a number after step {step}, {_GO_ON}")


class _Met:
    """Whether the user has interrupted, and which step is at work."""

    def __init__(self) -> None:
        self.interrupted = False
        self.in_step = 0


@contextmanager
def _interrupts_wait() -> Iterator[_Met]:
    """Ctrl-C lets the step finish, so that what is saved is whole; a second one stops at once."""
    met = _Met()
    if threading.current_thread() is not threading.main_thread():
        yield met  # signals reach the main thread only
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        met.interrupted = True
        for number in before:
            signal.signal(number, signal.default_int_handler)
        logger.warning("Finishing step %d and saving; Ctrl-C again stops at once.", met.in_step)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
