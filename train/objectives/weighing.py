"""How much each pair counts: narration often tells what the picture does not show.

Weights go to the terms that one modality is to learn from the other, and there each mean is a weighted one, so that
what is learnt in all stays as much.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch


class PairWeightsConfig(Config):
    """Settings of the weights.

    align_score  the agreement that was measured when the set was made: sigmoid((score - midpoint) / temperature),
                 and 1 where none was
    loss         the model's own: of each process's micro batch, the `drop` share of pairs whose contrast is worst
                 count `floor`. A model that knows nothing yet cannot judge, so train with `none` first and go on
                 with this (Co-teaching's small-loss choice, arXiv:1804.06872).
    """

    by: Literal["none", "align_score", "loss"] = "none"
    midpoint: float = 0.25  # the score at which a pair counts half
    temperature: float = Field(0.05, gt=0)  # in units of the score; the lower, the sharper
    drop: float = Field(0.2, ge=0, lt=1)
    floor: float = Field(0.0, ge=0, le=1)  # the least that a pair counts


def pair_weights(config: PairWeightsConfig, batch: Batch, losses_B: Tensor | None) -> Tensor | None:
    """weights_B of the batch's pairs, 0 to 1; None if all count the same. `losses_B` are the contrast's."""
    match config.by:
        case "none":
            return None
        case "align_score":
            score_B = batch.align_B[: batch.pairs]
            weights_B = torch.sigmoid((score_B - config.midpoint) / config.temperature)
            return torch.where(score_B == -1, 1.0, weights_B.clamp(min=config.floor))
        case "loss":
            if losses_B is None:  # no pairs
                return None
            worst_B = losses_B.detach().argsort(descending=True, stable=True)
            dropped = round(config.drop * batch.pairs)
            return torch.ones_like(losses_B).scatter(0, worst_B[:dropped], config.floor).detach()
