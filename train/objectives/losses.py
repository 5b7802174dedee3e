"""Losses as pure functions of tensors. Every mean runs over all hidden things of the rows given, not row by row.

Where weights are given the mean is a weighted one: what has weight 0 is as if not there, equal weights change nothing.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

# A flat patch has next to no variance: without this floor (of standardised pixels), normalising it would
# make a target of its JPEG noise.
VARIANCE_FLOOR = 1e-2
TINY = 1e-6  # instead of dividing by nothing


def weighted_mean(values_R: Tensor, weights_R: Tensor) -> Tensor:
    """0 where all weights are 0."""
    return (values_R * weights_R).sum() / weights_R.sum().clamp(min=TINY)


def piece_loss(logits_HV: Tensor, tokens_H: Tensor, weights_H: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the hidden pieces, in nats: the mean by weight.

    `smoothing` of the wanted probability is spread evenly over the vocabulary (arXiv:1512.00567, section 7).
    """
    each_H = functional.cross_entropy(logits_HV.float(), tokens_H, reduction="none", label_smoothing=smoothing)
    return weighted_mean(each_H, weights_H)


def piece_accuracy(logits_HV: Tensor, tokens_H: Tensor, weights_H: Tensor) -> Tensor:
    """Share of the hidden pieces that are guessed: the mean by weight."""
    return weighted_mean((logits_HV.argmax(dim=-1) == tokens_H).float(), weights_H)


def patch_loss(rebuilt_RMP: Tensor, patches_RMP: Tensor, *, weights_R: Tensor | None = None) -> Tensor:
    """Mean squared error of the hidden patches."""
    if weights_R is None:
        return functional.mse_loss(rebuilt_RMP.float(), patches_RMP)
    each_RMP = functional.mse_loss(rebuilt_RMP.float(), patches_RMP, reduction="none")
    return weighted_mean(each_RMP.mean(dim=(1, 2)), weights_R)


def normalised(patches_RNP: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1 over its own numbers: structure counts, brightness and contrast do not."""
    variance, mean = torch.var_mean(patches_RNP, dim=-1, keepdim=True)
    return (patches_RNP - mean) / (variance + VARIANCE_FLOOR).sqrt()


def coarse(patches_RNP: Tensor, *, cells: int = 4) -> Tensor:
    """Each patch as `cells` by `cells` of even colour: what a sentence may tell of it, without texture."""
    side = math.isqrt(patches_RNP.shape[-1] // 3)
    pixels = patches_RNP.reshape(-1, side, side, 3).permute(0, 3, 1, 2)  # P runs over (row, column, colour)
    means = functional.adaptive_avg_pool2d(pixels, cells)
    return functional.interpolate(means, size=(side, side)).permute(0, 2, 3, 1).reshape(patches_RNP.shape)


def bag_loss(logits_RV: Tensor, bags_RV: Tensor, *, weights_R: Tensor | None = None) -> Tensor:
    """Cross-entropy of a whole caption as a bag of weighted words, over the rows whose bag is not empty."""
    if weights_R is not None:
        bags_RV = bags_RV * weights_R[:, None]
    counted = bags_RV.sum(dim=1).sum()  # a bag sums to 1, an empty one to 0
    return -(bags_RV * logits_RV.float().log_softmax(dim=-1)).sum() / counted.clamp(min=TINY)


def bags(tokens_RL: Tensor, real_RL: Tensor, idf_V: Tensor) -> Tensor:
    """Captions as weights over the vocabulary that sum to 1: each piece once, by its inverse document frequency."""
    present_RV = torch.zeros(len(tokens_RL), len(idf_V), device=tokens_RL.device)
    present_RV.scatter_reduce_(1, tokens_RL, real_RL.float(), reduce="amax")
    weighted_RV = present_RV * idf_V
    return weighted_RV / weighted_RV.sum(dim=1, keepdim=True).clamp(min=TINY)


def inverse_document_frequency(documents_V: Tensor, *, captions: int, special: tuple[int, ...]) -> Tensor:
    """log(captions / those that hold the piece); pieces never seen, and special ones, weigh nothing."""
    idf_V = torch.where(documents_V > 0, (captions / documents_V.clamp(min=1)).log(), 0.0)
    idf_V[list(special)] = 0.0
    return idf_V


def contrast_losses(logits_BG: Tensor, right_BG: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """losses_B: of each row, cross-entropy of finding a right answer among G candidates.

    Several right answers share the wanted probability. Candidates whose logit is -inf are none; a row that is left
    with right answers alone has nothing to learn, and a loss of 0. `smoothing` is spread over all its candidates.
    """
    candidate_BG = logits_BG > -math.inf
    wanted_BG = right_BG / right_BG.sum(dim=1, keepdim=True)
    if smoothing:
        even_BG = candidate_BG / candidate_BG.sum(dim=1, keepdim=True)
        wanted_BG = (1 - smoothing) * wanted_BG + smoothing * even_BG
    likelihood_BG = logits_BG.log_softmax(dim=1).masked_fill(~candidate_BG, 0.0)
    has_wrong_B = (candidate_BG & ~right_BG).any(dim=1)
    return -(wanted_BG * likelihood_BG).sum(dim=1) * has_wrong_B
