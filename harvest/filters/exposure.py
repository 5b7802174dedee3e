"""Drops pictures that are all but black, or, by choice, all but white."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class Exposure:
    """Gives the reasons "too_dark" and "too_bright"."""

    name: ClassVar[str] = "exposure"

    def __init__(self, config: FilterConfig) -> None:
        self._least, self._most = config.min_brightness, config.max_brightness

    def judge(self, candidate: Candidate) -> Drop | None:
        brightness = candidate.pair.frame.brightness
        if brightness < self._least:
            return Drop("too_dark", brightness)
        return Drop("too_bright", brightness) if brightness > self._most else None
