"""All that is learnt in pre-training: contrast -> weights of the pairs -> masked modelling, contrast, matching."""

from dataclasses import dataclass

import torch
from torch import Tensor

from train.batch import Batch
from train.models.vilt import Vilt
from train.objectives.base import Losses, Term
from train.objectives.config import ObjectiveConfig
from train.objectives.contrastive import Contrast, Contrastive, ShownPatches
from train.objectives.gathering import gathered, processes
from train.objectives.losses import TINY
from train.objectives.masked import MaskedModeling
from train.objectives.masks import MaskPlan
from train.objectives.matching import Matching, MatchingDrawn
from train.objectives.weighing import pair_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingDrawn:
    """What chance decides for one batch. None for what is not learnt."""

    masked: MaskPlan
    contrast: ShownPatches | None
    matching: MatchingDrawn | None

    def to(self, device: torch.device) -> "PretrainingDrawn":
        return PretrainingDrawn(
            masked=self.masked.to(device),
            contrast=None if self.contrast is None else self.contrast.to(device),
            matching=None if self.matching is None else self.matching.to(device),
        )


class Pretraining:
    """The sum of the terms that the settings give a weight."""

    def __init__(self, config: ObjectiveConfig, *, mask_token: int, patches: int) -> None:
        self._config = config
        self._masked = MaskedModeling(config, mask_token=mask_token, patches=patches)
        self._contrast = Contrastive(config.contrastive, patches=patches) if config.contrastive.weight else None
        self._matching = Matching(config.matching, patches=patches) if config.matching.weight else None

    def draw(self, batch: Batch, generator: torch.Generator) -> PretrainingDrawn:
        """A batch without pairs has nothing to compare."""
        masked = self._masked.draw(batch, generator)
        contrast = self._contrast.draw(batch, generator) if self._contrast and batch.pairs else None
        matching = self._matching.draw(batch, generator) if self._matching and batch.pairs else None
        return PretrainingDrawn(masked=masked, contrast=contrast, matching=matching)

    def __call__(self, model: Vilt, batch: Batch, drawn: PretrainingDrawn) -> Losses:
        contrast = None
        if self._contrast is not None and drawn.contrast is not None:
            contrast = self._contrast(model, batch, drawn.contrast)
        weights_B = pair_weights(self._config.pair_weights, batch, None if contrast is None else contrast.losses_B)
        parts = [self._masked(model, batch, drawn.masked, weights_B)]
        if contrast is not None:
            parts.append(self._contrast_losses(contrast, weights_B))
            if self._matching is not None and drawn.matching is not None:
                parts.append(self._matching(model, batch, drawn.matching, contrast, weights_B))
        return Losses.of(parts)

    def _contrast_losses(self, contrast: Contrast, weights_B: Tensor | None) -> Losses:
        value = mean_of_all(contrast.losses_B, weights_B)
        term = Term(name="contrastive", value=value, weight=self._config.contrastive.weight)
        return Losses(terms=(term,), accuracies={"contrastive": contrast.accuracy})


def mean_of_all(losses_B: Tensor, weights_B: Tensor | None) -> Tensor:
    """This process's part of the weighted mean over the pairs of all: the mean of the parts is that mean."""
    if weights_B is None:
        return losses_B.mean()
    total = gathered(weights_B).sum() / processes()
    return (losses_B * weights_B).sum() / total.clamp(min=TINY)
