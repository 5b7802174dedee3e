"""One optimizer step: micro batches forward and backward, clip, then update, or pass over what is no number.

Nothing here waits for a GPU: whether the gradient was a number is decided on the device, where the optimizer reads it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from train.batch import Batch
from train.models.vilt import Vilt
from train.objectives.base import Objective
from train.parallel import exchange, whole

TOTAL = "loss/total"  # the name of what is minimised


class Learning(nn.Module):
    """A model and what it is to learn as one callable, which DDP and FSDP need to see as one."""

    def __init__(self, model: Vilt, objective: Objective[Any]) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch, drawn: Any) -> dict[str, Tensor]:
        """The loss to minimise, and each of its terms for the log."""
        losses = self.objective(self.model, batch, drawn)
        terms = {f"loss/{term.name}": term.value.detach() for term in losses.terms}
        accuracies = {f"accuracy/{name}": value.detach() for name, value in losses.accuracies.items()}
        return {TOTAL: losses.total, **terms, **accuracies}


@dataclass(frozen=True, slots=True, kw_only=True)
class Micro:
    """A part of a step's rows, ready for the model."""

    batch: Batch  # on the model's device
    drawn: Any  # what chance decided for it
    seed: int  # of what chance decides inside the model


def autocast(device: torch.device, *, bf16: bool) -> torch.autocast:
    """In it matrix products are in bf16 where that is wanted."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


def chance(seed: int, *, step: int, micro: int, rank: int) -> int:
    """A seed for all that chance decides in one micro batch of one process, so that nothing need be remembered."""
    named = hashlib.blake2b(f"{seed}/{step}/{micro}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(named) >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a step was like. Tensors on the model's device, which are not waited for."""

    values: dict[str, Tensor]  # means over the micro batches
    gradient_norm: Tensor  # before clipping


class Stepper:
    """Takes steps with one optimizer."""

    def __init__(self, called: nn.Module, optimizer: torch.optim.Optimizer, *, clip: float, bf16: bool) -> None:
        """`called` is a Learning, as train.parallel spreads it."""
        self._called = called
        self._optimizer = optimizer
        self._clip = clip
        self._bf16 = bf16
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._device = self._parameters[0].device

    def take(self, micros: Iterable[Micro], *, count: int) -> Learnt:
        """One step of `count` micro batches, at the rate the optimizer has."""
        self._called.train()
        parts = [self._backward(micro, last=number + 1 == count, count=count) for number, micro in enumerate(micros)]
        norm = whole(torch.nn.utils.clip_grad_norm_(self._parameters, self._clip))
        # The fused optimizers leave weights and moments alone where this is 1, as they do for torch's GradScaler.
        self._optimizer.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        values = {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}
        return Learnt(values=values, gradient_norm=norm)

    def _backward(self, micro: Micro, *, last: bool, count: int) -> dict[str, Tensor]:
        torch.manual_seed(micro.seed)  # dropout's
        with exchange(self._called, now=last):
            with autocast(self._device, bf16=self._bf16):
                values: dict[str, Tensor] = self._called(micro.batch, micro.drawn)
            torch.autograd.backward(values[TOTAL] / count)
        return {name: value.detach() for name, value in values.items()}
