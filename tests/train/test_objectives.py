"""Objectives on a real model: who learns from what."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.base import Losses, Objective, Together
from train.objectives.contrastive import Contrastive
from train.objectives.masked import MaskedModeling
from train.objectives.masks import MaskConfig, ModeShares
from train.optim import make_optimizer

TERMS = {
    "joint_text",
    "joint_image",
    "hidden_text",
    "hidden_text_bow",
    "hidden_image",
    "hidden_image_text",
    "lone_text",
    "lone_image",
    "contrastive",
}


def objective_of(config: TrainConfig, tokenizer: Tokenizer) -> Objective[Any]:
    patches = (config.data.image_size // config.model.patch) ** 2
    masked = MaskedModeling(config.objective, config.objective.weights, mask_token=tokenizer.mask, patches=patches)
    return Together([masked, Contrastive(config.objective.contrastive, patches=patches)])


def losses_of(objective: Objective[Any], model: Vilt, batch: Batch, generator: torch.Generator) -> Losses:
    return objective(model, batch, objective.draw(batch, generator))


def values(losses: Losses) -> dict[str, float]:
    return {term.name: term.value.item() for term in losses.terms}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def doubled(batch: Batch) -> Batch:
    """Enough rows for every mode."""
    return replace(
        batch,
        images_BCSS=batch.images_BCSS.repeat(2, 1, 1, 1),
        tokens_BL=batch.tokens_BL.repeat(2, 1),
        real_BL=batch.real_BL.repeat(2, 1),
        begins_BL=batch.begins_BL.repeat(2, 1),
        videos_B=batch.videos_B.repeat(2),
        align_B=batch.align_B.repeat(2),
    )


def test_every_parameter_receives_a_gradient(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    losses = losses_of(objective_of(config, tokenizer), model, doubled(batch), generator())
    assert set(values(losses)) == TERMS
    torch.autograd.backward(losses.total)
    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []


def test_the_total_is_the_weighted_sum(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    losses = losses_of(objective_of(config, tokenizer), model, doubled(batch), generator())
    assert losses.total.item() == pytest.approx(sum(term.weight * term.value.item() for term in losses.terms), rel=1e-5)


def test_all_losses_fall_on_a_few_scenes(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    objective = objective_of(config, tokenizer)
    optimizer = make_optimizer(model, config.optim.model_copy(update={"lr": 3e-3}))
    masks = generator()
    history = []
    for _ in range(120):
        losses = losses_of(objective, model, doubled(batch), masks)
        torch.autograd.backward(losses.total)
        optimizer.step()
        optimizer.zero_grad()
        history.append(values(losses))
    for name in TERMS:
        early, late = (sum(step[name] for step in steps) / len(steps) for steps in (history[:3], history[-10:]))
        assert late < 0.85 * early, (name, early, late)


def test_a_hidden_caption_cannot_be_seen(model: Vilt, batch: Batch, tokenizer: Tokenizer) -> None:
    """With all text hidden, the encoder's input is the same for any caption; only the target differs."""
    only_hidden = MaskConfig(shares=ModeShares(joint=0, text_hidden=1, image_hidden=0, unpaired=0))
    seen: list[torch.Tensor] = []
    handle = model.blocks[-1].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    objective = MaskedModeling(
        only_hidden, TrainConfig().objective.weights, mask_token=tokenizer.mask, patches=model.patches
    )
    shorter = batch.real_BL.clone()
    shorter[:, 4:] = False
    other = replace(batch, tokens_BL=batch.tokens_BL.flip(0) * shorter, real_BL=shorter)
    other.tokens_BL[:, 0] = tokenizer.cls
    first, second = (values(losses_of(objective, model, each, generator())) for each in (batch, other))
    handle.remove()
    assert torch.equal(seen[0], seen[1])
    assert first != second


def test_equal_generators_give_equal_losses(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    objective = objective_of(config, tokenizer)
    assert values(losses_of(objective, model, batch, generator(5))) == values(
        losses_of(objective, model, batch, generator(5))
    )
    assert values(losses_of(objective, model, batch, generator(5))) != values(
        losses_of(objective, model, batch, generator(6))
    )
