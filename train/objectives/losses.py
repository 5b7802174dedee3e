"""Losses as pure functions of tensors. Every mean runs over all hidden things of the rows given, not row by row."""

import torch
from torch import Tensor
from torch.nn import functional

# A flat patch has next to no variance: without this floor (of standardised pixels), normalising it would
# make a target of its JPEG noise.
VARIANCE_FLOOR = 1e-2


def piece_loss(logits_RHV: Tensor, tokens_RH: Tensor, counted_RH: Tensor) -> Tensor:
    """Cross-entropy of the hidden pieces, in nats, over the slots that are `counted_RH`."""
    each_RH = functional.cross_entropy(logits_RHV.flatten(0, 1).float(), tokens_RH.flatten(), reduction="none")
    counted = counted_RH.flatten().float()
    return (each_RH * counted).sum() / counted.sum().clamp(min=1)


def patch_loss(rebuilt_RMP: Tensor, patches_RMP: Tensor) -> Tensor:
    """Mean squared error of the hidden patches."""
    return functional.mse_loss(rebuilt_RMP.float(), patches_RMP)


def normalised(patches_RNP: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1 over its own numbers: structure counts, brightness and contrast do not."""
    variance, mean = torch.var_mean(patches_RNP, dim=-1, keepdim=True)
    return (patches_RNP - mean) / (variance + VARIANCE_FLOOR).sqrt()


def bag_loss(logits_RV: Tensor, bags_RV: Tensor) -> Tensor:
    """Cross-entropy of a whole caption as a bag of weighted words, over the rows whose bag is not empty."""
    counted = bags_RV.sum(dim=1).sum()  # a bag sums to 1, an empty one to 0
    return -(bags_RV * logits_RV.float().log_softmax(dim=-1)).sum() / counted.clamp(min=1)


def bags(tokens_RL: Tensor, real_RL: Tensor, idf_V: Tensor) -> Tensor:
    """Captions as weights over the vocabulary that sum to 1: each piece once, by its inverse document frequency."""
    present_RV = torch.zeros(len(tokens_RL), len(idf_V), device=tokens_RL.device)
    present_RV.scatter_reduce_(1, tokens_RL, real_RL.float(), reduce="amax")
    weighted_RV = present_RV * idf_V
    return weighted_RV / weighted_RV.sum(dim=1, keepdim=True).clamp(min=1e-6)


def inverse_document_frequency(documents_V: Tensor, *, captions: int, special: tuple[int, ...]) -> Tensor:
    """log(captions / those that hold the piece); pieces never seen, and special ones, weigh nothing."""
    idf_V = torch.where(documents_V > 0, (captions / documents_V.clamp(min=1)).log(), 0.0)
    idf_V[list(special)] = 0.0
    return idf_V


def contrast_loss(images_BE: Tensor, texts_BE: Tensor, scale: Tensor, same_BB: Tensor) -> Tensor:
    """Symmetric contrast within the batch. Where `same_BB` is True, row and column are both right answers."""
    with torch.autocast(images_BE.device.type, enabled=False):  # bf16 would round near similarities into one
        logits_BB = scale.float() * (images_BE.float() @ texts_BE.float().T)
    wanted_BB = same_BB.float() / same_BB.sum(dim=1, keepdim=True)  # same_BB is symmetric
    to_text = -(wanted_BB * logits_BB.log_softmax(dim=1)).sum(dim=1).mean()
    to_image = -(wanted_BB * logits_BB.T.log_softmax(dim=1)).sum(dim=1).mean()
    return (to_text + to_image) / 2
