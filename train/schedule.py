"""How the learning rate goes: warm-up, then a shape. A pure function of settings and step.

    cosine     half a cosine down to the final share at the last step
    linear     a line down to the final share
    constant   the full rate; over the last `cooldown_steps` down to the final share by 1 - sqrt
    plateau    the full rate, times `factor` each time the training loss has stopped falling

Constant suits a collection that keeps growing: with more steps the constant phase simply goes on. A run that has
already cooled down should go on from a checkpoint of before the cooldown, so keep one (`trainer.keep`): weights that
were cooled sit in a narrow valley, and the jump back to the full rate costs what the cooldown won.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.loading import Config
from train.data.order import Count

Kind = Literal["cosine", "linear", "constant", "plateau"]


class PlateauConfig(Config):
    """When the loss counts as no longer falling, and what then happens; torch's ReduceLROnPlateau in "rel" mode."""

    every: int = Field(500, ge=1)  # steps over which the logged training losses are averaged, then judged
    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(4, ge=0)  # judgements without a better mean that are borne
    threshold: float = Field(1e-3, ge=0, lt=1)  # share by which a mean must be lower to be better


class ScheduleConfig(Config):
    """The shape after warm-up."""

    kind: Kind = "cosine"
    cooldown_steps: int = Field(0, ge=0)  # of `constant`: how long it cools down at the end of trainer.steps
    plateau: PlateauConfig = PlateauConfig()

    @model_validator(mode="after")
    def _nothing_is_of_another_kind(self) -> "ScheduleConfig":
        if self.cooldown_steps and self.kind != "constant":
            raise ValueError(f"cooldown_steps belongs to kind=constant, while kind={self.kind}: leave it out, or set 0")
        if self.plateau != PlateauConfig() and self.kind != "plateau":
            raise ValueError(
                f"plateau belongs to kind=plateau, while kind={self.kind}: leave it out, or set plateau={{}}"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a step stands."""

    step: int  # numbered from 0
    warmup: int
    steps: int  # of the whole run

    def share_done(self, *, since: int) -> float:
        """0 at the step `since` or before it, 1 at the run's end and beyond."""
        return min(1.0, max(0, self.step - since) / max(1, self.steps - since))


def share(config: ScheduleConfig, span: Span, *, final: float) -> float:
    """What part of the highest rate a step gets, before a plateau's reductions; `final` is left at the end."""
    if span.step < span.warmup:
        return (span.step + 1) / span.warmup
    return final + (1 - final) * _FALLS[config.kind](config, span)


def _cosine(_config: ScheduleConfig, span: Span) -> float:
    return (1 + math.cos(math.pi * span.share_done(since=span.warmup))) / 2


def _linear(_config: ScheduleConfig, span: Span) -> float:
    return 1 - span.share_done(since=span.warmup)


def _constant(config: ScheduleConfig, span: Span) -> float:
    """Cooling down by 1 - sqrt ends lower than along a line: Hägele et al. 2024, arXiv:2405.18392."""
    if not config.cooldown_steps:
        return 1.0
    return 1 - math.sqrt(span.share_done(since=max(span.warmup, span.steps - config.cooldown_steps)))


def _plateau(_config: ScheduleConfig, _span: Span) -> float:
    return 1.0


_FALLS: dict[Kind, Callable[[ScheduleConfig, Span], float]] = {
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
    "plateau": _plateau,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """What reducing on a plateau remembers: numbers alone, for the checkpoint's JSON."""

    reduced: Annotated[float, Field(gt=0, le=1)] = 1.0  # what the rate is multiplied by
    best: float | None = None  # lowest mean so far
    bad: Count = 0  # judgements since then, or since the last reduction
    loss_sum: float = 0.0  # since the last judgement
    steps: Count = 0  # since the last judgement

    def after(self, loss_sum: float, *, steps: int, config: PlateauConfig, least: float) -> "Plateau":
        """The memory after `steps` more, whose training losses sum to `loss_sum`; judged once `every` are full.

        float32 losses sum in float64 without loss, so a run that was stopped in between judges as if it had not been.
        All processes must hand in the same number, or their rates part. `least` is the lowest value of `reduced`.
        """
        grown = replace(self, loss_sum=self.loss_sum + loss_sum, steps=self.steps + steps)
        if grown.steps < config.every:
            return grown
        return grown._judged(grown.loss_sum / grown.steps, config, least=least)

    def _judged(self, mean: float, config: PlateauConfig, *, least: float) -> "Plateau":
        fresh = replace(self, loss_sum=0.0, steps=0)
        if self.best is None or mean < self.best * (1 - config.threshold):
            return replace(fresh, best=mean, bad=0)
        if self.bad < config.patience:
            return replace(fresh, bad=self.bad + 1)
        return replace(fresh, bad=0, reduced=max(self.reduced * config.factor, least))
