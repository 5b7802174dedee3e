"""The contrast: who is compared with whom, and the mean of what comes of it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from train.batch import Batch
from train.config import TrainConfig
from train.models.vilt import Vilt
from train.objectives.contrastive import Contrastive, ContrastiveConfig
from train.objectives.pretraining import mean_of_all


def test_frames_of_one_video_are_no_negatives_unless_wanted(model: Vilt, batch: Batch, config: TrainConfig) -> None:
    def losses(videos: Tensor, **settings: object) -> Tensor:
        chosen = ContrastiveConfig.model_validate(config.objective.contrastive.model_dump() | settings)
        objective, each = Contrastive(chosen, patches=model.patches), replace(batch, videos_B=videos)
        return objective(model, each, objective.draw(each, torch.Generator().manual_seed(0))).losses_B

    apart, one = torch.arange(16), torch.zeros(16, dtype=torch.int64)
    two = torch.arange(16) % 2
    assert (losses(two) < losses(apart)).all()  # half of the candidates are left
    assert torch.equal(losses(one, same_video="negative"), losses(apart))
    assert not losses(one).any()
    torch.autograd.backward(losses(one).mean())
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_a_mean_of_weighed_losses_counts_each_as_it_weighs() -> None:
    losses_B, weights_B = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 0.5, 0.0])
    assert mean_of_all(losses_B, weights_B).item() == pytest.approx(2 / 1.5)
    assert mean_of_all(losses_B, 0 * weights_B).item() == 0
