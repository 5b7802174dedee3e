"""The seam of the filters, and the settings they share."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import Field

from configs import Config
from harvest.pairing import Pair
from harvest.records import Video


class FilterConfig(Config):
    """When a pair is not worth training on."""

    min_words: int = Field(default=3, ge=1)
    min_contrast: float = Field(default=4.0, ge=0)  # standard deviation of the luma, 0..128
    max_no_speech_prob: float = Field(default=0.6, ge=0, le=1)  # Whisper's own threshold; both must be passed
    min_avg_logprob: float = Field(default=-1.0, le=0)  # Whisper's own threshold
    # Share of a picture that may look like one of the same video that is in the set, where both stand still (pages of a
    # presentation differ in a few words), and where something moves (a person before a room). 1 keeps all.
    max_alike_still: float = Field(default=0.97, ge=0, le=1)
    max_alike_moving: float = Field(default=0.6, ge=0, le=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that may go into the set, and where it comes from."""

    pair: Pair
    video: Video
    language: str  # of the speech, two letters


@dataclass(frozen=True, slots=True)
class Drop:
    """An objection to a candidate."""

    reason: str  # a word or two joined by "_"
    score: float  # what was measured and found wanting: tells how far the threshold is; UNKNOWN where nothing was


class Filter(Protocol):
    """Judges one candidate after the other, in the order of videos and times."""

    name: ClassVar[str]

    def __init__(self, config: FilterConfig) -> None: ...

    def judge(self, candidate: Candidate) -> Drop | None:
        """None to keep the candidate."""
        ...
