"""Drops captions of too few or too many words or characters to say what is seen."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class CaptionLength:
    """Gives the reasons "too_short" and "too_long"."""

    name: ClassVar[str] = "caption_length"

    def __init__(self, config: FilterConfig) -> None:
        self._words = config.min_words, config.max_words
        self._characters = config.min_characters, config.max_characters

    def judge(self, candidate: Candidate) -> Drop | None:
        words, characters = len(candidate.pair.words), len(candidate.pair.caption)
        return _outside(words, *self._words) or _outside(characters, *self._characters)


def _outside(length: int, least: int, most: int | None) -> Drop | None:
    if length < least:
        return Drop("too_short", length)
    return Drop("too_long", length) if most is not None and length > most else None
