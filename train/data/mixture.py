"""How many rows each set has in a step, and which process sees which of them in which micro batch.

A step has so many rows of each set, always the same. All of them, a set after the other, are dealt to the micro
batches in turn as cards are, and each set's share of a micro batch, a run of consecutive samples, to the processes.
What a step reads thus depends on no number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.errors import DataError
from train.quotas import quotas


def rows_of_sets(names: Sequence[str], samples: Sequence[int], weights: Sequence[float], rows: int) -> list[int]:
    """Rows of each set in a step of `rows`. Without weights a set has as many as it has samples: all are seen equally.

    Raises DataError when the numbers of sets and weights differ, or a set would have no row.
    """
    if weights and len(weights) != len(names):
        raise DataError(
            f"data.weights has {len(weights)} numbers for {len(names)} sets: give one for each --shards, in that order."
        )
    wanted = [*(weights or samples)]
    counts = quotas([weight / sum(wanted) for weight in wanted], rows)
    for name, count in zip(names, counts, strict=True):
        if not count:
            raise DataError(
                f"{name} would have no row in a step of data.batch_size={rows}: raise it, or its share in data.weights."
            )
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Whose the rows of one set in a step are."""

    part: NDArray[np.int64]  # row of the step -> micro batch
    rank: NDArray[np.int64]  # row of the step -> process
    ends: tuple[int, ...]  # micro batch -> rows of the step that are consumed after it


def deal(counts: Sequence[int], *, parts: int, world: int) -> list[Deal]:
    """For sets of so many rows a step, dealt to `parts` micro batches of `world` processes.

    All micro batches of all processes have equally many rows if their number divides the sum.
    """
    dealt, first_row, taken = [], 0, np.zeros(parts, np.int64)  # rows that earlier sets have in each micro batch
    for count in counts:
        sizes = [len(range((part - first_row) % parts, count, parts)) for part in range(parts)]
        places = [np.arange(start, start + size) for start, size in zip(taken, sizes, strict=True)]
        dealt.append(
            Deal(
                part=np.repeat(np.arange(parts), sizes),
                rank=np.concatenate(places) % world,
                ends=(*np.cumsum(sizes).tolist(),),
            )
        )
        first_row += count
        taken += sizes
    return dealt
