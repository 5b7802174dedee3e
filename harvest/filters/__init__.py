"""What keeps a pair out of the set, one file a filter; the first that objects gives the reason.

A filter is told a candidate pair and answers None or the reason for dropping it. Drops are counted by reason
and kept as rows beside the set.
"""

from harvest.filters.base import Filter, FilterConfig
from harvest.filters.blank_frame import BlankFrame
from harvest.filters.near_duplicate import NearDuplicate
from harvest.filters.no_speech import NoSpeech
from harvest.filters.too_short import TooShort

FILTERS: dict[str, type[Filter]] = {kind.name: kind for kind in (NoSpeech, TooShort, BlankFrame, NearDuplicate)}
"""In the order in which they are asked."""

__all__ = ["FILTERS", "Filter", "FilterConfig"]
