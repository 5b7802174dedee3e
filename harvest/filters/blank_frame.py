"""Drops pictures with nothing in them: black, white or one colour."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class BlankFrame:
    name: ClassVar[str] = "blank_frame"

    def __init__(self, config: FilterConfig) -> None:
        self._min_contrast = config.min_contrast

    def judge(self, candidate: Candidate) -> Drop | None:
        contrast = candidate.pair.frame.contrast
        return Drop(self.name, contrast) if contrast < self._min_contrast else None
