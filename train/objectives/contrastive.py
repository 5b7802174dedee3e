"""Contrast of image-only and text-only passes of the one encoder: what makes it a dual encoder too."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch
from train.models.embeddings import TextInput, shown_patches, whole_image
from train.models.vilt import Vilt
from train.objectives.base import Losses, Term
from train.objectives.losses import contrast_loss


class ContrastiveConfig(Config):
    """Settings of the contrast."""

    weight: float = Field(1.0, ge=0)  # 0 leaves it out
    shown: float = Field(1.0, gt=0, le=1)  # share of the patches that the image-only pass sees; fewer are faster


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPatches:
    """The patches that the image-only pass sees; None for all."""

    places_BK: Tensor | None

    def to(self, device: torch.device) -> "ShownPatches":
        return ShownPatches(places_BK=None if self.places_BK is None else self.places_BK.to(device, non_blocking=True))


class Contrastive:
    """Each image must find its caption among the batch's, and each caption its image."""

    def __init__(self, config: ContrastiveConfig, *, patches: int) -> None:
        self._config = config
        self._patches = patches

    def draw(self, batch: Batch, generator: torch.Generator) -> ShownPatches:
        if self._config.shown == 1:
            return ShownPatches(places_BK=None)
        count = max(1, round(self._config.shown * self._patches))
        order_BN = torch.rand(len(batch.images_BCSS), self._patches, generator=generator).argsort(dim=1)
        return ShownPatches(places_BK=order_BN[:, :count])

    def __call__(self, model: Vilt, batch: Batch, drawn: ShownPatches) -> Losses:
        image = whole_image(model.patchify(batch.images_BCSS))
        if drawn.places_BK is not None:
            image = shown_patches(image.patches_RKP, drawn.places_BK)
        images_BE = model.embed_images(image)
        texts_BE = model.embed_texts(TextInput(tokens_RL=batch.tokens_BL, real_RL=batch.real_BL))
        loss = contrast_loss(images_BE, texts_BE, model.scale(), same_caption(batch.tokens_BL))
        return Losses(terms=(Term(name="contrastive", value=loss, weight=self._config.weight),))


def same_caption(tokens_BL: Tensor) -> Tensor:
    """same_BB: pairs of rows with one caption, which must not be pushed apart."""
    return (tokens_BL[:, None] == tokens_BL[None]).all(dim=-1)
