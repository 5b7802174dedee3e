"""Drops captions of too few words to say what is seen."""

from typing import ClassVar

from harvest.filters.base import FilterConfig
from harvest.pairing import Pair


class TooShort:
    name: ClassVar[str] = "too_short"

    def __init__(self, config: FilterConfig) -> None:
        self._min_words = config.min_words

    def reason_to_drop(self, pair: Pair) -> str | None:
        return self.name if len(pair.words) < self._min_words else None
