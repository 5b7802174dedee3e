"""What keeps a pair out of the set, one file a filter; the first that objects gives the reason.

A filter is told a candidate and answers None or a Drop: the reason, and the score that was found wanting. Drops are
counted by reason and kept as rows beside the set.
"""

from harvest.filters.base import Candidate, Drop, Filter, FilterConfig
from harvest.filters.blank_frame import BlankFrame
from harvest.filters.near_duplicate import NearDuplicate
from harvest.filters.no_speech import NoSpeech
from harvest.filters.too_short import TooShort

FILTERS: dict[str, type[Filter]] = {kind.name: kind for kind in (NoSpeech, TooShort, BlankFrame, NearDuplicate)}
"""In the order in which they are asked."""

__all__ = ["FILTERS", "Candidate", "Drop", "Filter", "FilterConfig"]
