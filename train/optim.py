"""AdamW, and the learning rate as a pure function of the step."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from configs.loading import Config

Decay = Annotated[float, Field(ge=0, lt=1)]  # share of the old that a running mean keeps


class OptimConfig(Config):
    """Settings of the optimizer and its schedule."""

    lr: float = Field(5e-4, gt=0)  # the highest, reached after warm-up
    final_lr: float = Field(0.0, ge=0)  # share of `lr` that is left at the last step
    warmup_steps: int = Field(500, ge=0)
    betas: tuple[Decay, Decay] = (0.9, 0.98)
    weight_decay: float = Field(0.05, ge=0)
    clip: float = Field(1.0, gt=0)  # largest norm of the gradient


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW over all trained parameters; only matrices decay, never norms, biases or embeddings."""
    groups = [
        {"params": [parameter for _, parameter in chosen], "weight_decay": decay}
        for chosen, decay in zip(_split_by_decay(model), (config.weight_decay, 0.0), strict=True)
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def learning_rate(config: OptimConfig, step: int, *, steps: int) -> float:
    """Linear warm-up, then half a cosine down to the final share, for the step numbered from 0."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    share = config.final_lr + (1 - config.final_lr) * (1 + math.cos(math.pi * min(1.0, done))) / 2
    return config.lr * share


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Named, in the order in which the optimizer holds them."""
    return [pair for group in _split_by_decay(model) for pair in group]


NamedParameters = list[tuple[str, nn.Parameter]]


def _split_by_decay(model: nn.Module) -> tuple[NamedParameters, NamedParameters]:
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    decayed: NamedParameters = []
    plain: NamedParameters = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matrix = parameter.dim() >= 2 and id(parameter) not in embeddings and ".places" not in name
            (decayed if matrix else plain).append((name, parameter))
    return decayed, plain
