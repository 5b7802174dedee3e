"""Drops pictures that are in the set already, or all but.

Of one video, those whose cells (16 x 9) look alike: nearly all where the picture stands still, as a page does on which
a few words change, and most where it moves, as a person does before a room. Of other videos, those whose difference
hash and colours are the same. The first in the order of videos and times stays.
"""

import base64
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.records import KeyFrame

ALIKE = 6.0  # mean absolute difference (0..255) of the levels of two cells up to which they look alike
STILL = 0.25  # motion (0..255) up to which a picture stands still; the noise of a camera or codec is below it
BANDS = 5  # into which a hash is cut: two that differ in fewer bits than there are bands share one of them
BLOCKS = (3, 4)  # of a thumbnail's rows and columns, whose mean colours are compared between videos

Cells = npt.NDArray[np.int16]  # (9, 16, 3)


class NearDuplicate:
    """Remembers what it was asked about and did not drop: to be asked last, once for each pair, in their order."""

    name: ClassVar[str] = "near_duplicate"

    def __init__(self, config: FilterConfig) -> None:
        self._max_alike_still = config.max_alike_still
        self._max_alike_moving = config.max_alike_moving
        self._video = ""
        self._of_video: list[tuple[Cells, bool]] = []
        self._others: dict[tuple[int, int], list[tuple[int, Cells]]] = {}

    def judge(self, candidate: Candidate) -> Drop | None:
        frame = candidate.pair.frame
        if candidate.video.id != self._video:
            self._video, self._of_video = candidate.video.id, []
        cells, still = _cells(frame), frame.motion <= STILL
        alike = self._alike_in_video(cells, still=still) or self._alike_elsewhere(frame, cells)
        if alike is not None:
            return Drop(self.name, round(alike, 4))
        self._of_video.append((cells, still))
        for band in _bands(int(frame.dhash, 16)):
            self._others.setdefault(band, []).append((int(frame.dhash, 16), _blocks(cells)))
        return None

    def _alike_in_video(self, cells: Cells, *, still: bool) -> float | None:
        """The share of the picture that looks like a kept one, if that is too much."""
        for other, other_still in self._of_video:
            alike = float((np.abs(cells - other).mean(axis=2) <= ALIKE).mean())
            if alike > (self._max_alike_still if still and other_still else self._max_alike_moving):
                return alike
        return None

    def _alike_elsewhere(self, frame: KeyFrame, cells: Cells) -> float | None:
        """1 less the share of the hash's bits that differ from a kept picture's, if that is too much."""
        value, blocks = int(frame.dhash, 16), _blocks(cells)
        near = (other for band in _bands(value) for other in self._others.get(band, ()))
        for other, colours in near:
            bits = (value ^ other).bit_count()
            if bits < BANDS and float(np.abs(blocks - colours).mean()) <= ALIKE:
                return 1 - bits / 64
        return None


def _cells(frame: KeyFrame) -> Cells:
    return np.frombuffer(base64.b64decode(frame.thumbnail), np.uint8).reshape(9, 16, 3).astype(np.int16)


def _blocks(cells: Cells) -> Cells:
    rows, columns = BLOCKS
    means: Cells = cells.reshape(9 // rows, rows, 16 // columns, columns, 3).mean(axis=(1, 3)).astype(np.int16)
    return means


def _bands(value: int) -> list[tuple[int, int]]:
    width = -(-64 // BANDS)
    return [(band, value >> band * width & (1 << width) - 1) for band in range(BANDS)]
