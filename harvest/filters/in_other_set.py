"""Drops what other sets hold already: their videos whole, and of other videos the pictures that are in them."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop
from harvest.other_sets import OtherSets
from shards.sample import UNKNOWN


class InOtherSet:
    """Gives the reasons "video_in_other_set" and "picture_in_other_set"."""

    name: ClassVar[str] = "in_other_set"

    def __init__(self, others: OtherSets) -> None:
        self._others = others

    def judge(self, candidate: Candidate) -> Drop | None:
        if candidate.video.id in self._others.videos:
            return Drop("video_in_other_set", UNKNOWN)
        alike = self._others.pictures.find(candidate.likeness)
        return None if alike is None else Drop("picture_in_other_set", round(alike, 4))
