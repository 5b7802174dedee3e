"""What goes into speech recognition and what comes out; the engines stand in files of their own.

Audio -> Transcriber -> Transcript
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from configs import Config
from harvest.records import Transcript

RATE_HZ = 16_000  # what Whisper listens at

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audio:
    """Mono sound at 16 kHz."""

    samples: Samples  # -1..1

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ


class TranscribeConfig(Config):
    """How speech becomes words.

    The defaults by benchmarks/asr_engines.py (tiny.en, made speech, a busy two-core machine): faster-whisper took a
    fifth of openai-whisper's time with beam 1 and a ninth with beam 5, for the same words; beam 5 cost 1.2 times beam
    1 and got two words more right of some 440, which is little evidence. Batched or not made no difference there.
    """

    # Whose words: Whisper's; those of subtitles that people wrote, unheard; or, where there are such subtitles, both:
    # their spelling at the times that Whisper heard, if enough of their words (min_agreement, 0..1) were heard, too.
    # Measured with the base model: subtitles of the same speech agree in 0.88 of their words and more, those of other
    # speech of one language in 0.15, and in at most 0.52 where both tell of the same few things.
    source: Literal["auto", "asr", "subtitles"] = "auto"
    min_agreement: float = Field(0.6, gt=0, le=1)
    engine: Literal["faster-whisper", "openai"] = "faster-whisper"
    model: str = Field("tiny.en", min_length=1, max_length=500)  # a Whisper name, or a path to weights
    language: str = Field("", pattern="^([a-z]{2,3})?$")  # "" lets Whisper detect it; .en models know only English
    beam_size: int = Field(5, ge=1, le=20)  # hypotheses kept; 1 is greedy
    vad: bool = True  # listen only where a voice detector hears somebody
    batch_size: int = Field(8, ge=1, le=256)  # windows of a video heard at once by faster-whisper
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    # "auto" is int8 (openai: float32) on a CPU and float16 on a GPU.
    compute_type: Literal["auto", "int8", "float16", "float32"] = "auto"
    threads: int = Field(1, ge=1, le=256)  # one a worker: torch with more collapses beside another busy process
    timeout_s: float = Field(7200.0, gt=0)  # wall clock for one video

    @model_validator(mode="after")
    def _engine_can_compute_so(self) -> "TranscribeConfig":
        if self.engine == "openai" and self.compute_type == "int8":
            raise ValueError("openai-whisper has no int8 arithmetic: choose float32, float16 or auto")
        return self


class Transcriber(Protocol):
    """An engine with its model loaded."""

    def transcribe(self, audios: Iterable[Audio]) -> Iterator[Transcript]:
        """One transcript an audio, in order. An engine may take in several before it gives the first."""
        ...
