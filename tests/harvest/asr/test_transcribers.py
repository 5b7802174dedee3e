"""What every engine must do, with real weights on real (synthetic) speech."""

import itertools
import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from harvest.asr import ENGINES
from harvest.asr.base import RATE_HZ, Audio, TranscribeConfig, Transcriber
from harvest.records import Transcript, Word, from_json, to_json
from tests.harvest.asr.conftest import Talk, engine_config, heard_at_16_khz
from tests.makers import noise, tone

Load = Callable[[TranscribeConfig], Transcriber]


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def transcriber(engine: str, transcriber_of: Load) -> Transcriber:
    return transcriber_of(engine_config(engine))


@pytest.fixture
def transcript(engine: str, talk_by: Callable[[str], Transcript]) -> Transcript:
    """Of the talk."""
    return talk_by(engine)


def words_of(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words]


def plain(words: list[Word]) -> list[str]:
    return [re.sub(r"\W", "", word.text).lower() for word in words]


def test_the_words_are_those_that_were_said(transcript: Transcript, talk: Talk) -> None:
    assert plain(words_of(transcript)) == talk.words
    assert transcript.language == "en"
    assert transcript.model == "tiny.en"


def test_words_are_timed_within_three_tenths_of_a_second(transcript: Transcript, talk: Talk) -> None:
    words = iter(words_of(transcript))
    for phrase in talk.phrases:
        spoken = [next(words) for _ in phrase.text.split()]
        assert spoken[0].start == pytest.approx(phrase.start, abs=0.3)
        assert spoken[-1].end == pytest.approx(phrase.end, abs=0.3)


def test_a_long_pause_ends_a_segment(transcript: Transcript) -> None:
    assert len(transcript.segments) == 3


def test_whispers_scores_come_with_each_segment(transcript: Transcript) -> None:
    for segment in transcript.segments:
        assert -0.5 < segment.avg_logprob < 0
        assert 0 <= segment.no_speech_prob < 0.5
        assert 0.5 < segment.compression_ratio < 2
        assert all(0 < word.probability <= 1 for word in segment.words)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(100, np.float32),
        np.zeros(5 * RATE_HZ, np.float32),
        heard_at_16_khz(tone(5.0)).samples,
        heard_at_16_khz(noise(5.0, seed=1)).samples,
    ],
    ids=["nothing", "a click of silence", "silence", "a tone", "noise"],
)
def test_where_nobody_speaks_there_are_no_segments(
    transcriber: Transcriber, samples: np.typing.NDArray[np.float32]
) -> None:
    (transcript,) = transcriber.transcribe([Audio(samples=samples)])
    assert transcript.segments == ()


def test_without_the_voice_detector_words_found_in_silence_are_flagged(engine: str, transcriber_of: Load) -> None:
    (transcript,) = transcriber_of(engine_config(engine, vad=False)).transcribe(
        [Audio(samples=np.zeros(5 * RATE_HZ, np.float32))]
    )
    assert all(segment.no_speech_prob > 0.6 for segment in transcript.segments)


def test_a_transcript_does_not_hang_on_what_was_heard_before(transcriber: Transcriber, talk: Talk) -> None:
    clear = talk.audio.samples[: 8 * RATE_HZ]
    hiss = np.random.default_rng(0).normal(0, 0.25, len(clear)).astype(np.float32)
    murky = Audio(samples=clear + hiss)
    first, second, third, fourth = transcriber.transcribe([murky, Audio(samples=clear), murky, Audio(samples=clear)])
    assert first == third
    assert second == fourth
    assert first != second


@pytest.mark.parametrize("seconds", [3.2, 4.0, 5.37])
def test_speech_that_breaks_off_ends_with_the_audio(transcriber: Transcriber, talk: Talk, seconds: float) -> None:
    audio = Audio(samples=talk.audio.samples[: int(seconds * RATE_HZ)])
    (transcript,) = transcriber.transcribe([audio])
    words = words_of(transcript)
    assert all(0 <= word.start <= word.end <= audio.duration_s for word in words)
    assert all(before.start <= after.start for before, after in itertools.pairwise(words))


def test_a_transcript_survives_json(transcript: Transcript) -> None:
    assert from_json(Transcript, json.loads(json.dumps(to_json(transcript)))) == transcript


def test_both_engines_hear_the_same_at_the_same_time(talk_by: Callable[[str], Transcript]) -> None:
    one, other = (words_of(talk_by(engine)) for engine in sorted(ENGINES))
    assert plain(one) == plain(other)
    for word, same in zip(one, other, strict=True):
        assert word.start == pytest.approx(same.start, abs=0.2)
        assert word.end == pytest.approx(same.end, abs=0.2)
