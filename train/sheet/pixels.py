"""Patches of numbers back to pixels."""

import torch
from torch import Tensor

from train.models.embeddings import PIXEL_MEAN, PIXEL_STD
from train.objectives.losses import VARIANCE_FLOOR
from train.sheet.records import Pixels

HIDDEN = 200 / 255  # grey of a hidden patch


def as_images(patches_RNP: Tensor, patch: int) -> list[Pixels]:
    """The inverse of `patchify`: standardised patches, row by row, to images of the colours that there are."""
    R, N, _ = patches_RNP.shape
    side = int(N**0.5)
    mean, std = (patches_RNP.new_tensor(values) for values in (PIXEL_MEAN, PIXEL_STD))
    pixels = patches_RNP.float().reshape(R, side, side, patch, patch, 3) * std + mean
    images = pixels.permute(0, 1, 3, 2, 4, 5).reshape(R, side * patch, side * patch, 3)
    return [*(images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()]


def greyed(patches_RNP: Tensor, places_RM: Tensor) -> Tensor:
    """The patches with those at `places_RM` in plain grey."""
    mean, std = (patches_RNP.new_tensor(values) for values in (PIXEL_MEAN, PIXEL_STD))
    grey_P = ((HIDDEN - mean) / std).repeat(patches_RNP.shape[-1] // 3)
    return with_patches(patches_RNP, places_RM, grey_P.expand(*places_RM.shape, -1))


def with_patches(patches_RNP: Tensor, places_RM: Tensor, other_RMP: Tensor) -> Tensor:
    """The patches with others at `places_RM`."""
    places_RMP = places_RM.unsqueeze(-1).expand(-1, -1, patches_RNP.shape[-1])
    return patches_RNP.scatter(1, places_RMP, other_RMP.to(patches_RNP.dtype))


def with_contrast_of(patches_RMP: Tensor, originals_RMP: Tensor) -> Tensor:
    """The inverse of `normalised`: patches of mean 0 and variance 1 with each original's own mean and deviation."""
    variance, mean = torch.var_mean(originals_RMP, dim=-1, keepdim=True)
    return patches_RMP.float() * (variance + VARIANCE_FLOOR).sqrt() + mean
