"""The seam between trainer and objectives, and the sum of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Objective(Protocol):
    """Something a batch can be learnt by. All its chance comes from `generator`."""

    def __call__(self, model: Vilt, batch: Batch, generator: torch.Generator) -> Losses: ...


class Together:
    """The sum of several objectives."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives

    def __call__(self, model: Vilt, batch: Batch, generator: torch.Generator) -> Losses:
        parts = [objective(model, batch, generator) for objective in self._objectives]
        return Losses(terms=tuple(term for part in parts for term in part.terms))
