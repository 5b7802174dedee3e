"""The seam between trainer and objectives.

An objective works in two steps: what chance decides is drawn on the CPU, for the next batch while this one is learnt;
the call itself never waits for a device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

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
    """What is minimised: the weighted sum of the terms. There must be one."""

    terms: tuple[Term, ...]
    # Share of right answers, 0 to 1, of the terms that guess: for the log, without a gradient.
    accuracies: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        return torch.stack([term.weight * term.value for term in self.terms]).sum()

    @classmethod
    def of(cls, parts: Sequence["Losses"]) -> "Losses":
        """All the terms of several."""
        return cls(
            terms=tuple(term for part in parts for term in part.terms),
            accuracies={name: value for part in parts for name, value in part.accuracies.items()},
        )


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
