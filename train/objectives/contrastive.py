"""Contrast of image-only and text-only passes of the one encoder: what makes it a dual encoder too.

Each process compares its own B pairs with those of all processes, G, so memory grows as B x G
(open_clip's `ClipLoss` with local_loss and gather_with_grad).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.loading import Config
from train.batch import Batch
from train.models.embeddings import TextInput, shown_patches, whole_image
from train.models.vilt import Vilt
from train.objectives.gathering import gathered
from train.objectives.losses import contrast_losses

_ODD = 0x5851F42D4C957F2D  # Knuth's multiplier of 64-bit random numbers


class ContrastiveConfig(Config):
    """Settings of the contrast."""

    weight: float = Field(1.0, ge=0)  # 0 leaves it out
    shown: float = Field(1.0, gt=0, le=1)  # share of the patches that the image-only pass sees; fewer are faster
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # spread over all candidates
    # Other frames of a video often show what a sentence tells: they are left out, unless they are to be negatives too.
    same_video: Literal["ignore", "negative"] = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPatches:
    """The patches that an image is seen by; None for all."""

    places_BK: Tensor | None

    def to(self, device: torch.device) -> "ShownPatches":
        return ShownPatches(places_BK=None if self.places_BK is None else self.places_BK.to(device, non_blocking=True))


def draw_shown(share: float, rows: int, *, patches: int, generator: torch.Generator) -> ShownPatches:
    """A `share` of the patches of each row's image, at random."""
    if share == 1:
        return ShownPatches(places_BK=None)
    count = max(1, round(share * patches))
    order_BN = torch.rand(rows, patches, generator=generator).argsort(dim=1)
    return ShownPatches(places_BK=order_BN[:, :count])


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The pairs of one process, compared."""

    images_BE: Tensor  # points on the unit sphere
    texts_BE: Tensor
    losses_B: Tensor  # of each pair, both ways in the mean
    accuracy: Tensor  # share of images and captions that are nearest to their own


class Contrastive:
    """Each image must find its caption among all processes', and each caption its image."""

    def __init__(self, config: ContrastiveConfig, *, patches: int) -> None:
        self._config = config
        self._patches = patches

    def draw(self, batch: Batch, generator: torch.Generator) -> ShownPatches:
        return draw_shown(self._config.shown, batch.pairs, patches=self._patches, generator=generator)

    def __call__(self, model: Vilt, batch: Batch, drawn: ShownPatches) -> Contrast:
        """Compares the pairs of `batch`, of which there must be one."""
        pairs, config = batch.pairs, self._config
        image = whole_image(model.patchify(batch.images_BCSS[:pairs]))
        if drawn.places_BK is not None:
            image = shown_patches(image.patches_RKP, drawn.places_BK)
        images_BE = model.embed_images(image)
        texts_BE = model.embed_texts(TextInput(tokens_RL=batch.tokens_BL[:pairs], real_RL=batch.real_BL[:pairs]))
        images_GE, texts_GE = gathered(torch.cat([images_BE, texts_BE], dim=1)).chunk(2, dim=1)
        captions_B, videos_B = caption_numbers(batch.tokens_BL[:pairs]), batch.videos_B[:pairs]
        captions_G, videos_G = gathered(torch.stack([captions_B, videos_B], dim=1)).unbind(dim=1)
        right_BG = captions_B[:, None] == captions_G
        passed_BG = (videos_B[:, None] == videos_G) & ~right_BG if config.same_video == "ignore" else None
        scale = model.scale()
        to_texts_BG = similarity_logits(images_BE, texts_GE, scale, passed_BG)
        to_images_BG = similarity_logits(texts_BE, images_GE, scale, passed_BG)
        both = [
            contrast_losses(each, right_BG, smoothing=config.label_smoothing) for each in (to_texts_BG, to_images_BG)
        ]
        return Contrast(
            images_BE=images_BE,
            texts_BE=texts_BE,
            losses_B=(both[0] + both[1]) / 2,
            accuracy=(_share_found(to_texts_BG, right_BG) + _share_found(to_images_BG, right_BG)) / 2,
        )


def similarity_logits(from_BE: Tensor, to_GE: Tensor, scale: Tensor, passed_BG: Tensor | None) -> Tensor:
    """logits_BG: similarities times `scale`, -inf where the candidate is to be passed over."""
    with torch.autocast(from_BE.device.type, enabled=False):  # bf16 would round near similarities into one
        logits_BG = scale.float() * (from_BE.float() @ to_GE.float().T)
    return logits_BG if passed_BG is None else logits_BG.masked_fill(passed_BG, -math.inf)


def caption_numbers(tokens_BL: Tensor) -> Tensor:
    """A number for each row, the same for equal captions; different ones share it once in 2 ** 63 or so."""
    powers_L = torch.full_like(tokens_BL[0], _ODD).cumprod(dim=0)
    return ((tokens_BL + 1) * powers_L).sum(dim=1)


def _share_found(logits_BG: Tensor, right_BG: Tensor) -> Tensor:
    nearest_B1 = logits_BG.detach().argmax(dim=1, keepdim=True)
    return right_BG.gather(1, nearest_B1).float().mean()
