"""Matching: read together, do this image and this text belong to each other?

    true        image i, text i
    wrong text  image i, a text that the contrast finds near image i
    wrong image an image that the contrast finds near text i, text i

Negatives are drawn in the process's own batch, in proportion to the softmax of similarities, as ALBEF does it
(arXiv:2107.07651, section 3.2), and never of the same video or caption: those are no negatives.
"""

import math
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from configs.loading import Config
from train.batch import Batch
from train.models.embeddings import ImageInput, TextInput, shown_patches, whole_image
from train.models.vilt import Vilt
from train.objectives.base import Losses, Term
from train.objectives.contrastive import Contrast, ShownPatches, caption_numbers, draw_shown, similarity_logits
from train.objectives.losses import weighted_mean


class MatchingConfig(Config):
    """Settings of matching."""

    weight: float = Field(0.0, ge=0)  # 0 leaves it out
    shown: float = Field(0.5, gt=0, le=1)  # share of the patches that are read beside the text, which is read whole


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingDrawn:
    """What chance decides: which patches are shown, and which of the near rows are the negatives."""

    shown: ShownPatches
    texts_BB: Tensor  # even noise in 0..1: row i chooses a text
    images_BB: Tensor  # row i chooses an image

    def to(self, device: torch.device) -> "MatchingDrawn":
        return MatchingDrawn(
            shown=self.shown.to(device),
            texts_BB=self.texts_BB.to(device, non_blocking=True),
            images_BB=self.images_BB.to(device, non_blocking=True),
        )


class Matching:
    """Tells true pairs from hard negatives."""

    def __init__(self, config: MatchingConfig, *, patches: int) -> None:
        self._config = config
        self._patches = patches

    def draw(self, batch: Batch, generator: torch.Generator) -> MatchingDrawn:
        pairs = batch.pairs
        return MatchingDrawn(
            shown=draw_shown(self._config.shown, pairs, patches=self._patches, generator=generator),
            texts_BB=torch.rand(pairs, pairs, generator=generator),
            images_BB=torch.rand(pairs, pairs, generator=generator),
        )

    def __call__(
        self, model: Vilt, batch: Batch, drawn: MatchingDrawn, contrast: Contrast, weights_B: Tensor | None = None
    ) -> Losses:
        """The loss over the pairs of `batch` and two negatives of each, weighed as their pair is."""
        pairs = batch.pairs
        negatives = hard_negatives(contrast, batch, drawn, scale=model.scale())
        own = torch.arange(pairs, device=batch.tokens_BL.device)
        images_R = torch.cat([own, own, negatives.images_B])
        texts_R = torch.cat([own, negatives.texts_B, own])
        logits_R2 = self._read(model, batch, drawn.shown, images_R, texts_R)
        true_R = torch.arange(3 * pairs, device=own.device) < pairs
        counts_R = torch.cat([torch.ones_like(negatives.found_B), negatives.found_B, negatives.found_B]).float()
        weights_R = counts_R if weights_B is None else counts_R * weights_B.repeat(3)
        losses_R = functional.cross_entropy(logits_R2.float(), true_R.long(), reduction="none")
        told_R = (logits_R2.detach().argmax(dim=1) == true_R.long()).float()
        return Losses(
            terms=(Term(name="matching", value=weighted_mean(losses_R, weights_R), weight=self._config.weight),),
            accuracies={"matching": weighted_mean(told_R, counts_R)},
        )

    def _read(self, model: Vilt, batch: Batch, shown: ShownPatches, images_R: Tensor, texts_R: Tensor) -> Tensor:
        image = whole_image(model.patchify(batch.images_BCSS[: batch.pairs]))
        if shown.places_BK is not None:
            image = shown_patches(image.patches_RKP, shown.places_BK)
        text = TextInput(tokens_RL=batch.tokens_BL[texts_R], real_RL=batch.real_BL[texts_R])
        wanted = ImageInput(patches_RKP=image.patches_RKP[images_R], places_RK=image.places_RK[images_R])
        return model.match(text, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negatives:
    """Of each pair, a row whose text is wrong for its image, and one whose image is wrong for its text."""

    texts_B: Tensor
    images_B: Tensor
    found_B: Tensor  # bool; False where every row is of the same video or caption, and the others mean nothing


def hard_negatives(contrast: Contrast, batch: Batch, drawn: MatchingDrawn, *, scale: Tensor) -> Negatives:
    """Rows drawn in proportion to the softmax of their similarity.

    The largest of logits to which Gumbel noise is added falls on each row with its softmax probability, so nothing
    is drawn on the device and nothing waited for.
    """
    captions_B, videos_B = caption_numbers(batch.tokens_BL[: batch.pairs]), batch.videos_B[: batch.pairs]
    passed_BB = (captions_B[:, None] == captions_B) | (videos_B[:, None] == videos_B)
    images_BE, texts_BE = contrast.images_BE.detach(), contrast.texts_BE.detach()
    to_texts_BB = similarity_logits(images_BE, texts_BE, scale.detach(), passed_BB)
    to_images_BB = similarity_logits(texts_BE, images_BE, scale.detach(), passed_BB)
    return Negatives(
        texts_B=(to_texts_BB + _gumbel(drawn.texts_BB)).argmax(dim=1),
        images_B=(to_images_BB + _gumbel(drawn.images_BB)).argmax(dim=1),
        found_B=(to_texts_BB > -math.inf).any(dim=1),
    )


def _gumbel(even: Tensor) -> Tensor:
    return -(-even.clamp(min=torch.finfo(even.dtype).tiny).log()).log()
