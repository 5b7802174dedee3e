"""When two pictures of different videos are the same one, and finding such a one among many.

What is compared is a picture's likeness: its difference hash, and the mean colours of 12 blocks of it. It is so small
that a set of pairs keeps those of all its pictures beside it.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harvest.records import KeyFrame

ALIKE = 6.0  # mean absolute difference (0..255) of the levels of two cells or blocks up to which they look alike
BANDS = 5  # into which a hash is cut: two that differ in fewer bits than there are bands share one of them
BLOCKS = (3, 4)  # of a thumbnail's rows and columns, whose mean colours are compared between videos
BLOCK_BYTES = 9 // BLOCKS[0] * (16 // BLOCKS[1]) * 3

Cells = npt.NDArray[np.int16]  # (9, 16, 3)


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells a picture from others."""

    dhash: int  # 64 bits
    blocks: bytes  # mean colours, block after block, RGB

    @classmethod
    def of(cls, frame: KeyFrame) -> "Likeness":
        rows, columns = BLOCKS
        means = cells(frame).reshape(9 // rows, rows, 16 // columns, columns, 3).mean(axis=(1, 3))
        return cls(int(frame.dhash, 16), means.astype(np.uint8).tobytes())


class KnownPictures:
    """Likenesses of many pictures."""

    def __init__(self) -> None:
        self._by_band: dict[tuple[int, int], list[Likeness]] = {}

    def add(self, likeness: Likeness) -> None:
        for band in _bands(likeness.dhash):
            self._by_band.setdefault(band, []).append(likeness)

    def find(self, likeness: Likeness) -> float | None:
        """The share of equal bits in the hashes of the first that is the same picture; None if there is none."""
        colours = _colours(likeness)
        for other in self._near(likeness):
            bits = (likeness.dhash ^ other.dhash).bit_count()
            if bits < BANDS and float(np.abs(colours - _colours(other)).mean()) <= ALIKE:
                return 1 - bits / 64
        return None

    def _near(self, likeness: Likeness) -> Iterator[Likeness]:
        return (other for band in _bands(likeness.dhash) for other in self._by_band.get(band, ()))


def cells(frame: KeyFrame) -> Cells:
    """The thumbnail's colours."""
    return np.frombuffer(base64.b64decode(frame.thumbnail), np.uint8).reshape(9, 16, 3).astype(np.int16)


def _colours(likeness: Likeness) -> npt.NDArray[np.int16]:
    return np.frombuffer(likeness.blocks, np.uint8).astype(np.int16)


def _bands(value: int) -> list[tuple[int, int]]:
    width = -(-64 // BANDS)
    return [(band, value >> band * width & (1 << width) - 1) for band in range(BANDS)]
