"""What keeps a pair out of the set, one file a filter; the first that objects gives the reason.

A filter is told a candidate and answers None or a Drop: the reason, and the score that was found wanting. Drops are
counted by reason and kept as rows beside the set.
"""

from harvest.filters.base import Candidate, Drop, Filter, FilterConfig
from harvest.filters.blank_frame import BlankFrame
from harvest.filters.blurred import Blurred
from harvest.filters.caption_length import CaptionLength
from harvest.filters.exposure import Exposure
from harvest.filters.impossible_rate import ImpossibleRate
from harvest.filters.language import Language
from harvest.filters.looping import Looping
from harvest.filters.near_duplicate import NearDuplicate
from harvest.filters.no_speech import NoSpeech
from harvest.filters.profanity import Profanity
from harvest.filters.source import Source
from harvest.filters.stock_phrase import StockPhrase
from harvest.filters.unsafe import Unsafe
from harvest.filters.word_density import WordDensity

_SPEECH = (NoSpeech, Language, Looping, ImpossibleRate, StockPhrase, CaptionLength, WordDensity, Profanity)
_PICTURE = (BlankFrame, Exposure, Blurred, Unsafe, NearDuplicate)

FILTERS: dict[str, type[Filter]] = {kind.name: kind for kind in (Source, *_SPEECH, *_PICTURE)}
"""In the order in which they are asked."""

__all__ = ["FILTERS", "Candidate", "Drop", "Filter", "FilterConfig"]
