"""Drops captions of too few words to say what is seen."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class TooShort:
    name: ClassVar[str] = "too_short"

    def __init__(self, config: FilterConfig) -> None:
        self._min_words = config.min_words

    def judge(self, candidate: Candidate) -> Drop | None:
        words = len(candidate.pair.words)
        return Drop(self.name, words) if words < self._min_words else None
