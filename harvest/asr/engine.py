"""The seam below the transcriber: an engine hears one window at a time; the rest is the same for all of them.

    audio -> windows of speech -> Engine.listen -> words on the audio's clock, clamped, rounded -> Transcript
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from harvest.asr.base import Audio, TranscribeConfig
from harvest.asr.windows import Window, speech_windows, whole
from harvest.errors import RequestError
from harvest.records import Segment, Transcript, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSegment:
    """A segment as an engine gives it, with times on the window's clock."""

    words: tuple[tuple[str, float, float, float], ...]  # text, start, end, probability
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


class Engine(Protocol):
    """A loaded Whisper."""

    name: ClassVar[str]
    languages: frozenset[str]  # codes of the languages the model knows

    def listen(self, audio: Audio, language: str) -> tuple[str, list[HeardSegment]]:
        """What is said, and in which language: the one given, or the one detected if that is ""."""
        ...


class WindowTranscriber:
    """A Transcriber that gives an engine window after window."""

    def __init__(self, config: TranscribeConfig, engine: Engine, model: str) -> None:
        self._engine = engine
        self._model = model
        self._windows = speech_windows if config.vad else whole
        self._language = _choose_language(config.language, engine)

    def transcribe(self, audios: Iterable[Audio]) -> Iterator[Transcript]:
        for audio in audios:
            yield self._transcribe_one(audio)

    def _transcribe_one(self, audio: Audio) -> Transcript:
        language = self._language
        segments: list[Segment] = []
        for window in self._windows(audio):
            # Detected once: a film does not change its language from one window to the next.
            language, heard = self._engine.listen(window.audio, language)
            segments += [_segment(segment, window) for segment in heard]
        return Transcript(
            language=language,
            model=self._model,
            engine=self._engine.name,
            segments=tuple(segment for segment in segments if segment.words),
        )


def _choose_language(wanted: str, engine: Engine) -> str:
    if len(engine.languages) == 1:
        return next(iter(engine.languages))
    if wanted and wanted not in engine.languages:
        raise RequestError(f"Whisper knows no language {wanted!r}: give a code such as 'en', or '' to have it detected.")
    return wanted


def _segment(heard: HeardSegment, window: Window) -> Segment:
    return Segment(
        words=tuple(_word(*word, window=window) for word in heard.words if word[0].strip()),
        avg_logprob=round(float(heard.avg_logprob), 4),
        no_speech_prob=round(float(heard.no_speech_prob), 4),
        compression_ratio=round(float(heard.compression_ratio), 4),
    )


def _word(text: str, start: float, end: float, probability: float, *, window: Window) -> Word:
    # Whisper pads a window to 30 seconds and may see a word end in the padding.
    start = min(max(float(start), 0.0), window.audio.duration_s)
    end = min(max(float(end), start), window.audio.duration_s)
    return Word(
        text=text,
        start=round(window.start + start, 3),
        end=round(window.start + end, 3),
        probability=round(float(probability), 4),
    )
