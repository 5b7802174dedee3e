"""AdamW, and the learning rate as a pure function of the step."""

import re
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from configs.loading import Config
from train.schedule import ScheduleConfig, Span, share

Decay = Annotated[float, Field(ge=0, lt=1)]  # share of the old that a running mean keeps


class OptimConfig(Config):
    """Settings of the optimizer and its schedule."""

    lr: float = Field(5e-4, gt=0)  # the highest, reached after warm-up
    final_lr: float = Field(0.0, ge=0, le=1)  # share of `lr` that is left at the end; of a plateau's, at least
    warmup_steps: int = Field(500, ge=0)
    schedule: ScheduleConfig = ScheduleConfig()  # after warm-up
    betas: tuple[Decay, Decay] = (0.9, 0.98)
    weight_decay: float = Field(0.05, ge=0)
    layer_decay: float = Field(1.0, gt=0, le=1)  # factor of the rate from each layer to the one below it
    clip: float = Field(1.0, gt=0)  # largest norm of the gradient
    ema: Decay = 0.0  # of the weights' running mean; 0 keeps none


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW over all trained parameters; only matrices decay, never norms, biases or embeddings.

    With layer decay, layer k of n learns at the rate times decay ** (n - k), so that what was pre-trained changes
    the less the nearer it is to the input: BEiT (arXiv:2106.08254), MAE's util/lr_decay.py. Embeddings are layer 0,
    block i is layer i + 1, all that comes after the blocks is layer n. A group's `lr_scale` is its factor.
    """
    params: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for matrix, below, _, parameter in _ordered(model):
        params.setdefault((matrix, config.layer_decay**below), []).append(parameter)
    groups = [
        {"params": chosen, "weight_decay": config.weight_decay * matrix, "lr_scale": scale}
        for (matrix, scale), chosen in params.items()
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def learning_rate(config: OptimConfig, step: int, *, steps: int, reduced: float = 1.0) -> float:
    """The rate of the step numbered from 0 in a run of `steps`; `reduced` is what a plateau has left of it."""
    span = Span(step=step, warmup=config.warmup_steps, steps=steps)
    return config.lr * share(config.schedule, span, final=config.final_lr) * reduced


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give each group its share of `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Named, in the order in which the optimizer holds them, whatever its settings."""
    return [(name, parameter) for _, _, name, parameter in _ordered(model)]


Placed = tuple[bool, int, str, nn.Parameter]  # whether it is a matrix that decays, layers above it, name


def _ordered(model: nn.Module) -> list[Placed]:
    """Matrices first, then the rest, each from the lowest layer to the highest."""
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    named = [*model.named_parameters()]
    blocks = max((int(match[1]) + 1 for name, _ in named if (match := _BLOCK.match(name))), default=0)
    placed: list[Placed] = []
    for name, parameter in named:
        if parameter.requires_grad:
            matrix = parameter.dim() >= 2 and id(parameter) not in embeddings and ".places" not in name
            placed.append((matrix, _layers_above(name, blocks), name, parameter))
    return sorted(placed, key=lambda each: (not each[0], -each[1]))  # stable: else as the model has them


_BLOCK = re.compile(r"blocks\.(\d+)\.")  # of the encoder: the decoder's begin otherwise


def _layers_above(name: str, blocks: int) -> int:
    if block := _BLOCK.match(name):
        return blocks - int(block[1])
    return blocks + 1 if name.startswith(("text.", "image.")) else 0
