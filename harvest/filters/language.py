"""Drops what is said in another language than wanted, or in one that Whisper was not sure of."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class Language:
    name: ClassVar[str] = "language"

    def __init__(self, config: FilterConfig) -> None:
        self._wanted = frozenset(config.languages)
        self._min_prob = config.min_language_prob

    def judge(self, candidate: Candidate) -> Drop | None:
        prob = candidate.pair.language_prob
        if self._wanted and candidate.language not in self._wanted:
            return Drop("other_language", prob)
        # -1: nobody asked Whisper, the language was given.
        return Drop("doubtful_language", prob) if 0 <= prob < self._min_prob else None
