"""Rows of all processes that train together, so that each contrasts its own with everybody's.

    G  rows of all processes, in the order of their ranks

Gathering is an operator of its own: a compiled step calls it as it is, without a break in its graph.
"""

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def processes() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(rows_BX: Tensor) -> Tensor:
    """rows_GX: those of all processes, equally many of each. The gradient comes back to those who gave the rows.

    It is the sum over all processes' losses. Each of them should take the mean over its own B rows: DDP's mean over
    processes then is the gradient of the mean over G rows, as in one process with all of them.
    """
    return rows_BX if processes() == 1 else _gather(rows_BX)


@torch.library.custom_op("train::gather_rows", mutates_args=())
def _gather(rows_BX: Tensor) -> Tensor:
    parts = [torch.empty_like(rows_BX) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows_BX.contiguous())
    return torch.cat(parts)


@_gather.register_fake
def _(rows_BX: Tensor) -> Tensor:
    return rows_BX.new_empty((dist.get_world_size() * rows_BX.shape[0], *rows_BX.shape[1:]))


@torch.library.custom_op("train::sum_rows_back", mutates_args=())
def _sum_back(gradient_GX: Tensor) -> Tensor:
    summed = gradient_GX.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(summed)
    return summed.chunk(dist.get_world_size())[dist.get_rank()].clone()


@_sum_back.register_fake
def _(gradient_GX: Tensor) -> Tensor:
    return gradient_GX.new_empty((gradient_GX.shape[0] // dist.get_world_size(), *gradient_GX.shape[1:]))


def _backward(context: Any, gradient_GX: Tensor) -> Tensor:  # noqa: ARG001  # torch's signature
    rows_BX: Tensor = _sum_back(gradient_GX)
    return rows_BX


_gather.register_autograd(_backward)
