"""The seam below the transcriber: an engine hears windows; the rest is the same for all engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from harvest.asr.base import Audio
from harvest.asr.windows import Window


class HeardWord(NamedTuple):
    """A word as Whisper gives it: a leading blank unless it belongs to the word before, times on the audio's clock."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is said in a window."""

    window: Window
    words: tuple[HeardWord, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    again: bool = False  # heard alone, after too little was heard at first


class Listened(NamedTuple):
    """What an engine makes of an audio's windows."""

    language: str  # the given one, or the detected
    language_prob: float  # how sure Whisper is of it, 0..1; -1 where it was not asked
    heard: list[Heard]  # in order
    again: int = 0  # windows that were heard twice


class Listener(Protocol):
    """A loaded Whisper."""

    name: ClassVar[str]
    languages: frozenset[str]  # codes of the languages the model knows

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        """What is said in the windows, of which there is at least one; "" has the language detected."""
        ...
