"""Speech for the recognisers: spoken phrases at known times."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from harvest.asr import make_transcriber
from harvest.asr.base import RATE_HZ as HEARD_HZ
from harvest.asr.base import Audio, TranscribeConfig, Transcriber
from harvest.records import Transcript
from tests.makers import RATE_HZ, SpokenPhrase, say, silence
from tests.makers.speech import Samples

SENTENCES = (
    ("the old baker carries his bread", "across the market square"),
    ("a narrow path follows the river", "down to the village"),
    ("the children are playing with a red ball", "near the fountain"),
)
GAP = 3.0  # seconds of silence before each sentence and after the last


@dataclass(frozen=True, slots=True)
class Talk:
    audio: Audio
    phrases: tuple[SpokenPhrase, ...]

    @property
    def words(self) -> list[str]:
        return " ".join(phrase.text for phrase in self.phrases).split()


def heard_at_16_khz(samples: Samples) -> Audio:
    """Linear interpolation will do: the voice has little above 8 kHz."""
    times = np.arange(len(samples) * HEARD_HZ // RATE_HZ) * (RATE_HZ / HEARD_HZ)
    resampled = np.interp(times, np.arange(len(samples)), samples)
    return Audio(samples=(resampled / 32768).astype(np.float32))


@pytest.fixture(scope="session")
def talk() -> Talk:
    parts = [silence(GAP)]
    phrases: list[SpokenPhrase] = []
    for sentence in SENTENCES:
        start = sum(map(len, parts)) / RATE_HZ
        speech = say(sentence)
        phrases += [SpokenPhrase(text=p.text, start=start + p.start, end=start + p.end) for p in speech.phrases]
        parts += [speech.samples, silence(GAP)]
    return Talk(heard_at_16_khz(np.concatenate(parts)), tuple(phrases))


def engine_config(engine: str, *, vad: bool = True) -> TranscribeConfig:
    """Greedy: what is tested does not hang on the width of the search."""
    return TranscribeConfig.model_validate({"engine": engine, "vad": vad, "beam_size": 1})


@pytest.fixture(scope="session")
def transcriber_of() -> Callable[[TranscribeConfig], Transcriber]:
    """Each engine is loaded once."""
    return functools.cache(make_transcriber)


@pytest.fixture(scope="session")
def talk_by(transcriber_of: Callable[[TranscribeConfig], Transcriber], talk: Talk) -> Callable[[str], Transcript]:
    """The talk as an engine hears it, heard once."""
    return functools.cache(lambda engine: next(iter(transcriber_of(engine_config(engine)).transcribe([talk.audio]))))
