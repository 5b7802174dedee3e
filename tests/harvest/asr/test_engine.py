"""What the transcriber makes of an engine's words, whichever engine it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from harvest.asr.base import RATE_HZ, Audio, TranscribeConfig
from harvest.asr.engine import WindowTranscriber
from harvest.asr.listener import Heard, HeardWord, Listened
from harvest.asr.windows import Window
from harvest.errors import RequestError
from harvest.records import Transcript

AUDIO = Audio(samples=np.zeros(2 * RATE_HZ, np.float32))


@dataclass
class Parrot:
    """A Listener that hears the same words in every window."""

    words: tuple[HeardWord, ...]
    avg_logprob: float = -0.2
    no_speech_prob: float = 0.1
    languages: frozenset[str] = field(default=frozenset({"en", "zh"}))
    name: ClassVar[str] = "parrot"

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        assert audio is AUDIO
        heard = [
            Heard(
                window=window,
                words=self.words,
                avg_logprob=self.avg_logprob,
                no_speech_prob=self.no_speech_prob,
                compression_ratio=1.0,
            )
            for window in windows
        ]
        return Listened(language or "en", -1.0 if language else 0.75, heard)


def transcript_of(engine: Parrot, language: str = "") -> Transcript:
    config = TranscribeConfig(vad=False, language=language)
    return next(WindowTranscriber(config, engine, "tiny").transcribe([AUDIO]))


def words_of(engine: Parrot, language: str = "") -> list[tuple[str, float, float, float]]:
    transcript = transcript_of(engine, language)
    return [(w.text, w.start, w.end, w.probability) for segment in transcript.segments for w in segment.words]


def test_parts_of_one_word_are_joined() -> None:
    parts = (HeardWord(" 10", 0.1, 0.3, 0.9), HeardWord(",000", 0.3, 0.6, 0.5), HeardWord(" dogs", 0.6, 1.0, 0.8))
    assert words_of(Parrot(parts)) == [(" 10,000", 0.1, 0.6, 0.5), (" dogs", 0.6, 1.0, 0.8)]


def test_words_of_a_language_without_blanks_stay_apart() -> None:
    words = (HeardWord("你", 0.1, 0.3, 0.9), HeardWord("好", 0.3, 0.6, 0.5))
    assert [text for text, *_ in words_of(Parrot(words), "zh")] == ["你", "好"]


def test_times_outside_the_audio_are_clamped_and_empty_words_dropped() -> None:
    words = (HeardWord(" one", -1.0, 0.5, 1.0), HeardWord(" ", 0.5, 0.6, 1.0), HeardWord(" two", 1.9, 3.0, 1.0))
    assert words_of(Parrot(words)) == [(" one", 0.0, 0.5, 1.0), (" two", 1.9, 2.0, 1.0)]


def test_what_whisper_doubts_is_kept_with_its_scores() -> None:
    words = (HeardWord(" you", 0.0, 1.0, 0.1),)
    (segment,) = transcript_of(Parrot(words, avg_logprob=-1.5, no_speech_prob=0.9)).segments
    assert (segment.avg_logprob, segment.no_speech_prob) == (-1.5, 0.9)


def test_a_language_is_detected_given_or_the_only_one_there_is() -> None:
    words = (HeardWord(" hi", 0.0, 1.0, 1.0),)
    assert transcript_of(Parrot(words)).language == "en"
    assert transcript_of(Parrot(words), "zh").language == "zh"
    assert transcript_of(Parrot(words, languages=frozenset({"en"}))).language == "en"


def test_a_language_nobody_knows_is_a_wrong_request() -> None:
    with pytest.raises(RequestError, match="'qq'"):
        transcript_of(Parrot(()), "qq")


def test_a_language_that_the_model_does_not_know_is_a_wrong_request() -> None:
    with pytest.raises(RequestError, match=r"no language but 'en'.*transcribe\.language=zh.*transcribe\.model=tiny"):
        transcript_of(Parrot((), languages=frozenset({"en"})), "zh")
