"""The seam below the transcriber: an engine hears windows; the rest is the same for all engines.

audio -> windows -> Listener.listen -> joined, clamped, rounded words -> Transcript
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from harvest.asr.base import Audio, TranscribeConfig
from harvest.asr.windows import Window, all_windows, speech_windows
from harvest.errors import RequestError
from harvest.records import Segment, Transcript, Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # languages written without blanks between words


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


class Listener(Protocol):
    """A loaded Whisper."""

    name: ClassVar[str]
    languages: frozenset[str]  # codes of the languages the model knows

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> tuple[str, list[Heard]]:
        """What is said in the windows, in order, and in which language: the given one; "" has it detected."""
        ...


class WindowTranscriber:
    """A Transcriber that has an engine listen to the windows of an audio."""

    def __init__(self, config: TranscribeConfig, engine: Listener, model: str) -> None:
        self._engine = engine
        self._model = model
        self._windows = speech_windows if config.vad else all_windows
        self._language = _choose_language(config.language, engine, model)

    def transcribe(self, audios: Iterable[Audio]) -> Iterator[Transcript]:
        for audio in audios:
            yield self._transcribe_one(audio)

    def _transcribe_one(self, audio: Audio) -> Transcript:
        language = self._language
        heard: list[Heard] = []
        windows = self._windows(audio)
        if windows:
            language, heard = self._engine.listen(audio, windows, self._language)
        segments = [_segment(one, language) for one in heard]
        return Transcript(
            language=language,
            model=self._model,
            engine=self._engine.name,
            segments=tuple(segment for segment in segments if segment.words),
        )


def _choose_language(wanted: str, engine: Listener, model: str) -> str:
    if len(engine.languages) == 1:
        (only,) = engine.languages
        if wanted not in ("", only):
            raise RequestError(
                f"The Whisper model {model!r} knows no language but {only!r}, so transcribe.language={wanted} would be "
                "ignored: take a model of many languages, as by --set transcribe.model=tiny, or leave the language out."
            )
        return only
    if wanted and wanted not in engine.languages:
        raise RequestError(
            f"Whisper knows no language {wanted!r}: give a code such as 'en', or '' to have it detected."
        )
    return wanted


def _segment(heard: Heard, language: str) -> Segment:
    words = heard.words if language in UNSPACED else _join_parts(heard.words)
    return Segment(
        words=tuple(_word(word, heard.window) for word in words if word.text.strip()),
        avg_logprob=round(float(heard.avg_logprob), 4),
        no_speech_prob=round(float(heard.no_speech_prob), 4),
        compression_ratio=round(float(heard.compression_ratio), 4),
    )


def _join_parts(words: Iterable[HeardWord]) -> list[HeardWord]:
    """Whisper gives "10,000" as "10" and ",000", and "long-term" as "long" and "-term"."""
    joined: list[HeardWord] = []
    for word in words:
        if joined and not word.text.startswith(" "):
            before = joined[-1]
            probability = min(before.probability, word.probability)
            joined[-1] = HeardWord(before.text + word.text, before.start, word.end, probability)
        else:
            joined.append(word)
    return joined


def _word(heard: HeardWord, window: Window) -> Word:
    # Whisper pads a window to 30 seconds and may see a word end in the padding.
    start = min(max(float(heard.start), window.start_s), window.end_s)
    end = min(max(float(heard.end), start), window.end_s)
    return Word(
        text=heard.text,  # with its blank: what joins words differs from language to language
        start=round(start, 3),
        end=round(end, 3),
        probability=round(float(heard.probability), 4),
    )
