"""Whole rows from shares."""

from collections.abc import Sequence


def quotas(shares: Sequence[float], rows: int) -> list[int]:
    """Whole numbers that sum to `rows` and are as near to the shares, which sum to 1, as can be: largest remainders."""
    counts = [int(share * rows + 1e-9) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place] * rows)
    for place in by_remainder[: rows - sum(counts)]:
        counts[place] += 1
    return counts
