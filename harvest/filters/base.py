"""The seam of the filters, and the settings they share."""

from typing import ClassVar, Protocol

from pydantic import Field

from configs import Config
from harvest.pairing import Pair


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


class Filter(Protocol):
    """Judges one candidate pair after the other, in the order of videos and times."""

    name: ClassVar[str]

    def __init__(self, config: FilterConfig) -> None: ...

    def reason_to_drop(self, pair: Pair) -> str | None:
        """None to keep the pair, else the reason in a word or two joined by "_"."""
        ...
