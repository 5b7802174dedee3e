"""Which split a video belongs to: a hash of its id, so a video never straddles splits nor moves between them.

Adding videos to a collection leaves every other video where it was.
"""

import hashlib
import itertools
from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

DEFAULT_SHARES: tuple[float, float, float] = (0.8, 0.1, 0.1)  # train, val, test


def split_of(video_id: str, shares: tuple[float, float, float] = DEFAULT_SHARES) -> Split:
    """The split of `video_id` when `shares` of all videos go to train, val and test. The shares sum to 1."""
    place = int.from_bytes(hashlib.sha256(f"split:{video_id}".encode()).digest()[:8]) / 2**64
    for split, upper in zip(SPLITS, itertools.accumulate(shares), strict=True):
        if place < upper:
            return split
    return "test"  # the shares' sum may fall short of 1 by a rounding error
