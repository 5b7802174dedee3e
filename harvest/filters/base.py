"""The seam of the filters, and the settings they share."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from pydantic import Field

from configs import Config
from harvest.filters.likeness import Likeness
from harvest.pairing import Pair
from harvest.records import Video


class FilterConfig(Config):
    """When a pair is not worth training on."""

    min_words: int = Field(default=3, ge=1)
    max_words: int | None = Field(default=None, ge=1)
    min_characters: int = Field(default=0, ge=0)  # of the caption; for languages that write no blanks
    max_characters: int | None = Field(default=None, ge=1)
    min_words_per_s: float = Field(default=0.5, ge=0)  # from the caption's first word to its last (fineVideo: 0.5)
    profanity: Literal["keep", "drop"] = "keep"
    profane_words: tuple[str, ...] = ()  # more words than those of swear_words.py
    licenses: tuple[str, ...] = ()  # patterns such as "Creative Commons*" or "CC-BY*"; none: all, also the unknown one
    denied_channels: tuple[str, ...] = ()  # by name, whatever its case
    denied_videos: tuple[str, ...] = ()  # by id
    min_contrast: float = Field(default=4.0, ge=0)  # standard deviation of the luma, 0..128
    min_brightness: float = Field(default=6.0, ge=0, le=255)  # mean luma; slides and snow are bright: no such limit
    max_brightness: float = Field(default=255.0, ge=0, le=255)  # by default
    max_unsafe: float | None = Field(default=None, ge=0, le=1)  # probability of nudity; 0.8 is a start; an extra
    min_detail: float = Field(default=0.01, ge=0)  # variance of the Laplacian over that of the luma
    max_no_speech_prob: float = Field(default=0.6, ge=0, le=1)  # Whisper's own threshold; both must be passed
    min_avg_logprob: float = Field(default=-1.0, le=0)  # Whisper's own threshold
    languages: tuple[str, ...] = ()  # of the speech, as "en"; none: all
    min_language_prob: float = Field(default=0.0, ge=0, le=1)  # Whisper's, where it was asked
    # What a loop looks like, in a stretch of up to 30 seconds that Whisper heard at once.
    max_in_a_row: int = Field(default=4, ge=1)  # times that a phrase of 1 to 10 words follows itself
    max_repeats: int = Field(default=3, ge=1)  # times that the same ten words come (NeMo Curator)
    # All of: fewer different words than this share, a text that compresses better, Whisper in doubt.
    min_unique_words: float = Field(default=0.4, ge=0, le=1)  # NeMo Curator
    max_compression_ratio: float = Field(default=2.4, gt=0)  # Whisper's own threshold
    max_characters_per_s: float = Field(default=40.0, gt=0)  # of voice; people reach 25 (NeMo Curator: 40)
    max_word_s: float = Field(default=4.0, gt=0)
    stock_phrases: Literal["drop", "keep"] = "drop"  # "Thanks for watching" where nothing else was heard
    # Share of a picture that may look like one of the same video that is in the set, where both stand still (pages of a
    # presentation differ in a few words), and where something moves (a person before a room). 1 keeps all.
    max_alike_still: float = Field(default=0.97, ge=0, le=1)
    max_alike_moving: float = Field(default=0.6, ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pair that may go into the set, and where it comes from."""

    pair: Pair
    video: Video
    language: str  # of the speech, two letters
    folder: Path  # of the video, to which the names of its pictures are relative

    @cached_property
    def likeness(self) -> Likeness:
        """Of its picture."""
        return Likeness.of(self.pair.frame)


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
