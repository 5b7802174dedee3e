"""How many rows each set has in a step, and which process sees which of them in which micro batch.

A step has so many rows of each set, always the same. All of them, a set after the other and those of one kind
together, are dealt to the micro batches in turn as cards are, and each set's share of a micro batch, a run of
consecutive samples, to the processes. What a step reads thus depends on no number of processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.sample import Kind
from train.data.source import Source
from train.errors import DataError
from train.quotas import quotas

ROW_ORDER: tuple[Kind, ...] = ("pairs", "texts", "images")  # of the rows of a batch, by the kind of their set
TOLERANCE = 0.1  # relative: how far rounding may move a kind's share of the rows


def rows_of_sets(sources: Sequence[Source], weights: Sequence[float], rows: int) -> list[int]:
    """Rows of each set in a step of `rows`. Without weights a set has as many as it has samples: all are seen equally.

    All processes must have equally many rows of each kind, so a kind's rows are rounded to a multiple of the largest
    divisor of `rows` that moves no kind's share by more than TOLERANCE, or where the rows are too few for that to the
    nearest whole rows. Sets of one kind share its rows exactly.
    Raises DataError when the numbers of sets and weights differ, or a set would have no row.
    """
    counts = _dealt(_shares(sources, weights), [source.kind for source in sources], rows)
    for source, count in zip(sources, counts, strict=True):
        if not count:
            raise DataError(
                f"{source.name} would have no row in a step of data.batch_size={rows}: "
                "raise it, or its share in data.weights."
            )
    return counts


def rows_of_kinds(sources: Sequence[Source], counts: Sequence[int]) -> dict[Kind, int]:
    """The rows of a step by kind; 0 for one that no set has."""
    sets = [*zip(sources, counts, strict=True)]
    return {kind: sum(count for source, count in sets if source.kind == kind) for kind in ROW_ORDER}


def _shares(sources: Sequence[Source], weights: Sequence[float]) -> list[float]:
    """Of each set; they sum to 1."""
    if weights and len(weights) != len(sources):
        raise DataError(
            f"data.weights has {len(weights)} numbers for {len(sources)} sets: "
            "give one for each --shards, in that order."
        )
    wanted = weights or [source.samples("train") for source in sources]
    return [weight / sum(wanted) for weight in wanted]


def _dealt(shares: Sequence[float], kinds: Sequence[Kind], rows: int) -> list[int]:
    """Rows of each set: first each kind has its own, then they are shared among its sets."""
    members = {kind: [number for number, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)}
    whole = {kind: sum(shares[number] for number in numbers) for kind, numbers in members.items()}
    counts = [0] * len(shares)
    ordered = [kind for kind in ROW_ORDER if kind in members]
    for kind, of_kind in zip(ordered, _rounded([whole[kind] for kind in ordered], rows), strict=True):
        numbers = members[kind]
        of_sets = quotas([shares[number] / whole[kind] for number in numbers], of_kind)
        for number, count in zip(numbers, of_sets, strict=True):
            counts[number] = count
    return counts


def _rounded(shares: Sequence[float], rows: int) -> list[int]:
    in_bunches = ([bunch * count for count in quotas(shares, rows // bunch)] for bunch in _divisors(rows))
    near = (counts for counts in in_bunches if _near(counts, shares, rows))
    return next(near, quotas(shares, rows))


def _near(counts: Sequence[int], shares: Sequence[float], rows: int) -> bool:
    """Whether no share is moved by more than TOLERANCE."""
    wanted = [share * rows for share in shares]
    return all(abs(count - exact) <= TOLERANCE * exact for count, exact in zip(counts, wanted, strict=True))


def _divisors(rows: int) -> Iterator[int]:
    """The largest first."""
    return (rows // parts for parts in range(1, rows + 1) if rows % parts == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Whose the rows of one set in a step are."""

    part: NDArray[np.int64]  # row of the step -> micro batch
    rank: NDArray[np.int64]  # row of the step -> process
    ends: tuple[int, ...]  # micro batch -> rows of the step that are consumed after it


def deal(counts: Sequence[int], *, parts: int, world: int) -> list[Deal]:
    """For sets of so many rows a step, dealt to `parts` micro batches of `world` processes.

    All micro batches of all processes have equally many rows if their number divides the sum, and equally many of any
    sets that stand together if it divides theirs and that of those before.
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
