"""Drops pictures out of focus: of little detail for their contrast.

The variance of the Laplacian tells sharp from blurred (Pech-Pacheco and others, "Diatom autofocusing in brightfield
microscopy", ICPR 2000), but it grows with the square of the contrast, too: a soft-lit talk has less of it than a
blurred street. Over the variance of the luma, sharp frames have 0.1 or more, whatever they show, and those blurred
by a Gaussian of two pixels (at 384 lines) some 0.001 to 0.016.
"""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class Blurred:
    name: ClassVar[str] = "blurred"

    def __init__(self, config: FilterConfig) -> None:
        self._min_detail = config.min_detail

    def judge(self, candidate: Candidate) -> Drop | None:
        frame = candidate.pair.frame
        detail = frame.sharpness / max(frame.contrast, 1.0) ** 2
        return Drop(self.name, round(detail, 5)) if detail < self._min_detail else None
