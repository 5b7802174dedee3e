"""Ranks from similarities, with any number of right answers, and what chance would give. Pure functions."""

from collections.abc import Sequence
from math import comb

import torch
from torch import Tensor

RECALLS = (1, 5, 10)


def ranks(similar_QA: Tensor, right_QA: Tensor) -> Tensor:
    """The rank, from 1, of each query's best right answer among the wrong ones.

    A wrong answer counts as better unless its score is lower: a model that scores all alike, or whose scores are no
    numbers, gains nothing by it.
    """
    best_Q = similar_QA.masked_fill(~right_QA, -torch.inf).amax(dim=1)
    better_QA = ~(similar_QA < best_Q[:, None]) & ~right_QA
    return better_QA.sum(dim=1) + 1


def recalls(ranks_Q: Tensor) -> dict[str, float]:
    """Recall at 1, 5 and 10 and the median rank."""
    figures = {f"recall@{k}": (ranks_Q <= k).double().mean().item() for k in RECALLS}
    return figures | {"median_rank": ranks_Q.double().quantile(0.5).item()}


def chance(right_QA: Tensor) -> dict[str, float]:
    """The expected recalls of answers in random order, exactly: a query with m right ones of n has at least one
    among the first k with probability 1 - C(n - m, k) / C(n, k)."""
    candidates = right_QA.shape[1]
    counts: Sequence[int] = right_QA.sum(dim=1).tolist()
    return {
        f"recall@{k}": sum(
            1 - comb(candidates - m, min(k, candidates)) / comb(candidates, min(k, candidates)) for m in counts
        )
        / len(counts)
        for k in RECALLS
    }
