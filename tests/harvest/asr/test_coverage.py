"""Where words lack for the voice detected, Whisper listens again."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from harvest.asr.base import RATE_HZ, Audio, TranscribeConfig
from harvest.asr.engine import WindowTranscriber
from harvest.asr.listener import Heard, HeardWord, Listened
from harvest.asr.windows import Window
from harvest.records import Transcript
from tests.harvest.asr.conftest import Talk

Hear = Callable[[Window, bool], Sequence[str]]  # what is said in a window, and whether it is heard alone

SENTENCE = ["the", "old", "baker", "carries", "his", "bread", "over", "the", "market", "square"]
LOOP = ["bread"] * 10


@dataclass
class Listening:
    """A Listener that spreads the words it is told over the window."""

    hear: Hear
    avg_logprob: Callable[[bool], float] = lambda _: -0.3
    no_speech_prob: float = 0.1
    asked: list[int] = field(default_factory=list)  # windows at once
    languages: frozenset[str] = frozenset({"en", "de"})
    name: ClassVar[str] = "listening"

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        assert windows[-1].end <= len(audio.samples)
        self.asked.append(len(windows))
        alone = len(self.asked) > 1
        heard = [self._heard(window, self.hear(window, alone), alone) for window in windows]
        return Listened(language or "de", 0.8, [one for one in heard if one.words])

    def _heard(self, window: Window, words: Sequence[str], alone: bool) -> Heard:
        each = (window.end_s - window.start_s) / max(1, len(words))
        starts = itertools.count(window.start_s, each)
        return Heard(
            window=window,
            words=tuple(HeardWord(f" {word}", at, at + each, 0.9) for word, at in zip(words, starts, strict=False)),
            avg_logprob=self.avg_logprob(alone),
            no_speech_prob=self.no_speech_prob,
            compression_ratio=1.0,
        )


def transcript_of(engine: Listening, talk: Talk, *, vad: bool = True) -> Transcript:
    (transcript,) = WindowTranscriber(TranscribeConfig(vad=vad), engine, "tiny").transcribe([talk.audio])
    return transcript


def said(transcript: Transcript) -> list[list[str]]:
    return [[word.text.strip() for word in segment.words] for segment in transcript.segments]


def test_what_is_covered_by_words_is_heard_once(talk: Talk) -> None:
    engine = Listening(lambda _window, _alone: SENTENCE)
    transcript = transcript_of(engine, talk)
    assert engine.asked == [3]
    assert transcript.heard_again == 0
    assert not any(segment.heard_again for segment in transcript.segments)


@pytest.mark.parametrize("first", [[], ["the"], LOOP], ids=["nothing", "too few words", "a loop"])
def test_a_window_in_which_words_lack_is_heard_again_alone(talk: Talk, first: list[str]) -> None:
    engine = Listening(lambda window, alone: SENTENCE if alone or window.start_s > 5 else first)
    transcript = transcript_of(engine, talk)
    assert engine.asked == [3, 1]
    assert said(transcript) == [SENTENCE] * 3
    assert [segment.heard_again for segment in transcript.segments] == [True, False, False]
    assert transcript.heard_again == 1


@pytest.mark.parametrize("second", [[], ["a"], LOOP], ids=["nothing", "no more", "a loop"])
def test_the_first_hearing_stays_where_the_second_is_no_better(talk: Talk, second: list[str]) -> None:
    engine = Listening(lambda _, alone: second if alone else ["the"])
    transcript = transcript_of(engine, talk)
    assert said(transcript) == [["the"]] * 3
    assert transcript.heard_again == 3
    assert not any(segment.heard_again for segment in transcript.segments)


def test_of_two_that_cover_alike_the_surer_one_stays(talk: Talk) -> None:
    surer = Listening(lambda _, alone: ["a"] if alone else ["the"], lambda alone: -0.1 if alone else -0.3)
    assert said(transcript_of(surer, talk)) == [["a"]] * 3


def test_what_whisper_itself_would_throw_away_is_no_gain(talk: Talk) -> None:
    engine = Listening(lambda _, alone: SENTENCE if alone else [], lambda _: -1.5, no_speech_prob=0.9)
    transcript = transcript_of(engine, talk)
    assert transcript.segments == ()
    assert transcript.heard_again == 3


def test_a_record_tells_the_language_and_how_long_a_voice_was_detected(talk: Talk) -> None:
    transcript = transcript_of(Listening(lambda _window, _alone: SENTENCE), talk)
    assert (transcript.language, transcript.language_prob) == ("de", 0.8)
    spoken = sum(phrase.end - phrase.start for phrase in talk.phrases)
    assert spoken < transcript.voice_s < spoken + 3 * 1.0
    assert sum(segment.voice_s for segment in transcript.segments) == pytest.approx(transcript.voice_s, abs=0.01)


def test_without_the_voice_detector_nothing_is_heard_again(talk: Talk) -> None:
    engine = Listening(lambda _window, _alone: ["the"])
    transcript = transcript_of(engine, talk, vad=False)
    assert len(engine.asked) == 1
    assert (transcript.voice_s, transcript.segments[0].voice_s) == (-1.0, -1.0)


def test_a_short_window_is_heard_again_with_more_around_it_but_nothing_of_its_neighbours(talk: Talk) -> None:
    endless = Audio(samples=np.tile(talk.audio.samples[3 * RATE_HZ : 6 * RATE_HZ], 11))
    asked: list[tuple[Window, bool]] = []

    def note(window: Window, alone: bool) -> list[str]:
        asked.append((window, alone))
        return []

    next(WindowTranscriber(TranscribeConfig(), Listening(note), "tiny").transcribe([endless]))
    *_, before, short = [window for window, alone in asked if not alone]
    *_, again = [window for window, alone in asked if alone]
    assert short.end_s - short.start_s < 8
    assert short.start_s - before.end_s < 0.5
    assert before.end <= again.first <= short.first
