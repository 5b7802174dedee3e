"""Drops captions that swear, if it is wished: coarse words are speech, too, so they stay by default."""

import re
import unicodedata
from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.filters.swear_words import EVERYWHERE, SWEAR_WORDS

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+|\*+[^\W_]*)*")  # recognisers and subtitles write f**k


class Profanity:
    """Looks for the coarse words of the speech's own language: "slut" is but an end in Swedish."""

    name: ClassVar[str] = "profanity"

    def __init__(self, config: FilterConfig) -> None:
        everywhere = (*EVERYWHERE.split(), *config.profane_words)
        self._everywhere = frozenset(map(_plain, everywhere))
        self._by_language = {
            name: self._everywhere | {_plain(word) for word in words.split()} for name, words in SWEAR_WORDS.items()
        }
        self._keeps = config.profanity == "keep"

    def judge(self, candidate: Candidate) -> Drop | None:
        if self._keeps:
            return None
        spoken = WORD.findall(_plain(candidate.pair.caption))
        coarse = self._by_language.get(candidate.language, self._everywhere)
        sworn = sum(word in coarse for word in spoken)
        return Drop(self.name, round(sworn / len(spoken), 4)) if sworn else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
