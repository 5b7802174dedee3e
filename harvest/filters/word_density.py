"""Drops captions spoken so slowly that they are scattered words: what Whisper hears in music, or a speaker who is busy.

Source of the limit: huggingface/finevideo, dynamicfilters/worddensityfiltering.py (0.5 words a second).
"""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class WordDensity:
    """Gives the reason "few_words_a_second"."""

    name: ClassVar[str] = "word_density"

    def __init__(self, config: FilterConfig) -> None:
        self._min_words_per_s = config.min_words_per_s

    def judge(self, candidate: Candidate) -> Drop | None:
        words = candidate.pair.words
        seconds = words[-1].end - words[0].start if words else 0.0
        if seconds <= 0:
            return None  # other filters tell of silence
        density = len(words) / seconds
        return Drop("few_words_a_second", round(density, 3)) if density < self._min_words_per_s else None
