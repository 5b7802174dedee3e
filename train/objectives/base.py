"""The seam between trainer and objectives, and the sum of several.

An objective works in two steps: what chance decides is drawn on the CPU, for the next batch while this one is learnt;
the call itself never waits for a device.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor

from train.batch import Batch
from train.models.vilt import Vilt


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One loss: a modality in a mode, or a contrast."""

    name: str  # as it is logged
    value: Tensor
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What is minimised: the weighted sum of the terms."""

    terms: tuple[Term, ...]

    @property
    def total(self) -> Tensor:
        return torch.stack([term.weight * term.value for term in self.terms]).sum()


class Drawn(Protocol):
    """What chance decided for one batch."""

    def to(self, device: torch.device) -> Self: ...


D = TypeVar("D", bound=Drawn)


class Objective(Protocol[D]):
    """Something a batch can be learnt by."""

    def draw(self, batch: Batch, generator: torch.Generator) -> D:
        """What chance decides for `batch`, which is on the CPU. All of it comes from `generator`."""
        ...

    def __call__(self, model: Vilt, batch: Batch, drawn: D) -> Losses:
        """The losses of `batch`, on the model's device, as `drawn` says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AllDrawn:
    """One draw for each of several objectives."""

    parts: tuple[Drawn, ...]

    def to(self, device: torch.device) -> Self:
        return replace(self, parts=tuple(part.to(device) for part in self.parts))


class Together:
    """The sum of several objectives."""

    def __init__(self, objectives: Sequence[Objective[Any]]) -> None:
        self._objectives = objectives

    def draw(self, batch: Batch, generator: torch.Generator) -> AllDrawn:
        return AllDrawn(parts=tuple(objective.draw(batch, generator) for objective in self._objectives))

    def __call__(self, model: Vilt, batch: Batch, drawn: AllDrawn) -> Losses:
        parts = [objective(model, batch, part) for objective, part in zip(self._objectives, drawn.parts, strict=True)]
        return Losses(terms=tuple(term for part in parts for term in part.terms))
