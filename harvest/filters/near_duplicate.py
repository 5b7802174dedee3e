"""Drops pictures that are in the set already, or all but.

Of one video, those whose cells (16 x 9) look alike: nearly all where the picture stands still, as a page does on which
a few words change, and most where it moves, as a person does before a room. Of other videos, those whose difference
hash and colours are the same. The first in the order of videos and times stays.
"""

from typing import ClassVar

import numpy as np

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.filters.likeness import ALIKE, Cells, KnownPictures, cells

STILL = 0.25  # motion (0..255) up to which a picture stands still; the noise of a camera or codec is below it


class NearDuplicate:
    """Remembers what it was asked about and did not drop: to be asked last, once for each pair, in their order."""

    name: ClassVar[str] = "near_duplicate"

    def __init__(self, config: FilterConfig) -> None:
        self._max_alike = {True: config.max_alike_still, False: config.max_alike_moving}
        self._video = ""
        self._of_video: list[Cells] = []
        self._still: list[bool] = []
        self._others = KnownPictures()

    def judge(self, candidate: Candidate) -> Drop | None:
        frame, likeness = candidate.pair.frame, candidate.likeness
        if candidate.video.id != self._video:
            self._video, self._of_video, self._still = candidate.video.id, [], []
        shown, still = cells(frame), frame.motion <= STILL
        alike = self._alike_in_video(shown, still=still) or self._others.find(likeness)
        if alike is not None:
            return Drop(self.name, round(alike, 4))
        self._of_video.append(shown)
        self._still.append(still)
        self._others.add(likeness)
        return None

    def _alike_in_video(self, shown: Cells, *, still: bool) -> float | None:
        """The share of the picture that looks like a kept one, if that is too much."""
        if not self._of_video:
            return None
        differences = np.abs(np.stack(self._of_video) - shown).mean(axis=3)
        alike = (differences <= ALIKE).mean(axis=(1, 2))
        limits = [self._max_alike[still and other] for other in self._still]
        too_alike = alike[alike > limits]
        return float(too_alike[0]) if len(too_alike) else None
