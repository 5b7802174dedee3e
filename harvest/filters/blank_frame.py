"""Drops pictures with nothing in them: black, white or one colour."""

from typing import ClassVar

from harvest.filters.base import FilterConfig
from harvest.pairing import Pair


class BlankFrame:
    name: ClassVar[str] = "blank_frame"

    def __init__(self, config: FilterConfig) -> None:
        self._min_contrast = config.min_contrast

    def reason_to_drop(self, pair: Pair) -> str | None:
        return self.name if pair.frame.contrast < self._min_contrast else None
