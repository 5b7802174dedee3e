"""What is the same for all engines.

audio -> windows -> Listener.listen -> heard again where words lack -> joined, clamped, rounded words -> Transcript
"""

from collections.abc import Iterable, Iterator

from harvest.asr.base import Audio, TranscribeConfig
from harvest.asr.coverage import listen_well
from harvest.asr.listener import Heard, HeardWord, Listened, Listener
from harvest.asr.windows import Window, all_windows, speech_windows
from harvest.errors import RequestError
from harvest.records import Segment, Transcript, Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # languages written without blanks between words


class WindowTranscriber:
    """A Transcriber that has an engine listen to the windows of an audio."""

    def __init__(self, config: TranscribeConfig, engine: Listener, model: str) -> None:
        self._engine = engine
        self._model = model
        self._detects_voice = config.vad
        self._windows = speech_windows if config.vad else all_windows
        self._language = _choose_language(config.language, engine, model)

    def transcribe(self, audios: Iterable[Audio]) -> Iterator[Transcript]:
        for audio in audios:
            yield self._transcribe_one(audio)

    def _transcribe_one(self, audio: Audio) -> Transcript:
        windows = self._windows(audio)
        listened = Listened(self._language, -1.0, [])
        if windows:
            listened = listen_well(self._engine, audio, windows, self._language)
        segments = [_segment(one, listened.language) for one in listened.heard]
        return Transcript(
            language=listened.language,
            language_prob=round(float(listened.language_prob), 4),
            model=self._model,
            engine=self._engine.name,
            voice_s=round(sum(window.voice_s for window in windows), 3) if self._detects_voice else -1.0,
            heard_again=listened.again,
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
        voice_s=round(heard.window.voice_s, 3),
        heard_again=heard.again,
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
