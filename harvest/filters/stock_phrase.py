"""Drops what Whisper writes where nobody speaks: the phrases that end the subtitles it was trained on.

People say them, too. So they count only where nothing else was heard, or Whisper was in doubt of what it heard.
"""

import re
from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.filters.doubt import in_doubt
from harvest.filters.stock_phrases import BEGINNINGS, SENTENCES
from harvest.pairing import text_of
from harvest.records import Segment

SENTENCE = re.compile(r"[^.!?…。！？]+(?:\.(?=\w)[^.!?…。！？]*)*")  # "Amara.org" is no end


class StockPhrase:
    name: ClassVar[str] = "stock_phrase"

    def __init__(self, config: FilterConfig) -> None:
        self._kept = config.stock_phrases == "keep"

    def judge(self, candidate: Candidate) -> Drop | None:
        if self._kept:
            return None
        for segment in candidate.pair.segments:
            share = _stock_share(segment)
            if share == 1 or (share > 0 and in_doubt(segment)):
                return Drop(self.name, round(share, 4))
        return None


def _stock_share(segment: Segment) -> float:
    """How much of a segment's text is stock phrases, 0..1."""
    sentences = [plain for one in SENTENCE.findall(text_of(segment.words)) if (plain := _plain(one))]
    stock = sum(len(one) for one in sentences if one in SENTENCES or one.startswith(BEGINNINGS))
    return stock / max(1, sum(map(len, sentences)))


def _plain(text: str) -> str:
    """Lower case, single blanks, no signs."""
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())
