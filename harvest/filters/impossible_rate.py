"""Drops what nobody can have said so fast, and captions with a word that nobody draws out so long."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.records import Segment

SHORTEST_S = 0.2  # a stretch of speech is not shorter; one that is, by its words' times, says nothing of a rate


class ImpossibleRate:
    name: ClassVar[str] = "impossible_rate"

    def __init__(self, config: FilterConfig) -> None:
        self._max_rate = config.max_characters_per_s
        self._max_word_s = config.max_word_s

    def judge(self, candidate: Candidate) -> Drop | None:
        rate = max(map(_rate, candidate.pair.segments), default=0.0)
        if rate > self._max_rate:
            return Drop(self.name, round(rate, 4))
        longest = max((word.end - word.start for word in candidate.pair.words), default=0.0)
        return Drop("drawn_out_word", round(longest, 4)) if longest > self._max_word_s else None


def _rate(segment: Segment) -> float:
    """Characters a second of voice; where nobody looked for voice, a second from the first word to the last."""
    if not segment.words:
        return 0.0
    seconds = segment.voice_s if segment.voice_s > 0 else segment.words[-1].end - segment.words[0].start
    return sum(len(word.text.strip()) for word in segment.words) / max(seconds, SHORTEST_S)
