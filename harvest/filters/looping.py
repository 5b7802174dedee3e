"""Drops what comes from a stretch of speech in which Whisper was caught in a loop.

The whole stretch is judged, of up to 30 seconds, for a caption may be one round of the loop. How well a text is
compressed tells little by itself: lists of alike sentences ("a red circle is over a blue star") reach 3, and hold as
few different words as a loop. So there Whisper must have been in doubt, too.
"""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.filters.doubt import in_doubt
from harvest.records import Segment
from harvest.repetition import most_in_a_row, most_repeated, spoken_forms, unique_share

ENOUGH_WORDS = 20  # of which a share of different ones can be told


class Looping:
    name: ClassVar[str] = "looping"

    def __init__(self, config: FilterConfig) -> None:
        self._config = config

    def judge(self, candidate: Candidate) -> Drop | None:
        drops = (self._judge(segment) for segment in candidate.pair.segments)
        return next((drop for drop in drops if drop is not None), None)

    def _judge(self, segment: Segment) -> Drop | None:
        forms = spoken_forms([word.text for word in segment.words])
        in_a_row, repeated, unique = most_in_a_row(forms), most_repeated(forms), unique_share(forms)
        if in_a_row > self._config.max_in_a_row:
            return Drop("said_in_a_row", in_a_row)
        if repeated > self._config.max_repeats:
            return Drop("repeated", repeated)
        compressed = segment.compression_ratio > self._config.max_compression_ratio
        few = len(forms) >= ENOUGH_WORDS and unique <= self._config.min_unique_words
        return Drop("few_different_words", round(unique, 4)) if few and compressed and in_doubt(segment) else None
