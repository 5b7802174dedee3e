"""faster-whisper: Whisper's weights run by CTranslate2, several times faster on a CPU than the original.

It decodes batches of windows, each once and without sampling. The package's retries at rising temperatures draw
from a generator that cannot be set back between two audios (CTranslate2 seeds each thread once), so one video's
words would hang on the videos before it; and on sound that fails at temperature 0 the draws are guesses. Doubt
stays visible in the scores.
"""

import bisect
from collections.abc import Sequence
from typing import Any, ClassVar

from harvest.asr.arithmetic import settle
from harvest.asr.base import RATE_HZ, Audio, TranscribeConfig
from harvest.asr.listener import Heard, HeardWord, Listened
from harvest.asr.models import Weights, load_failed
from harvest.asr.windows import Window
from harvest.errors import RequestError

SEEKS_PER_SECOND = 100


class FasterWhisper:
    """A Listener; loads its model when made."""

    name: ClassVar[str] = "faster-whisper"

    def __init__(self, config: TranscribeConfig, weights: Weights) -> None:
        self._config = config
        self._pipeline = _load(config, weights)
        self.languages = frozenset(self._pipeline.model.supported_languages)

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        segments, facts = self._pipeline.transcribe(
            audio.samples,
            # Seconds, which the package turns back into samples by cutting off: half a sample more makes that exact.
            clip_timestamps=[
                {"start": (window.first + 0.5) / RATE_HZ, "end": (window.end + 0.5) / RATE_HZ} for window in windows
            ],
            batch_size=self._config.batch_size,
            language=language or None,
            beam_size=self._config.beam_size,
            temperature=0.0,
            word_timestamps=True,
        )
        probability = -1.0 if language else facts.language_probability
        return Listened(facts.language, probability, [_heard(segment, windows) for segment in segments])


def _heard(segment: Any, windows: Sequence[Window]) -> Heard:
    index = bisect.bisect([int(window.start_s * SEEKS_PER_SECOND) for window in windows], segment.seek) - 1
    return Heard(
        window=windows[index],
        words=tuple(HeardWord(word.word, word.start, word.end, word.probability) for word in segment.words),
        avg_logprob=segment.avg_logprob,
        no_speech_prob=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
    )


def _load(config: TranscribeConfig, weights: Weights) -> Any:
    try:
        from faster_whisper import BatchedInferencePipeline, WhisperModel
    except ImportError:
        raise RequestError(
            "The engine faster-whisper is not installed, so speech cannot become words: "
            "pip install 'harvest-train[harvest]'."
        ) from None
    if weights.path is not None and not (weights.path / "model.bin").is_file():
        raise load_failed(weights, "faster-whisper reads a CTranslate2 folder with a model.bin, and this is none")
    device, compute_type = settle(config)
    source = str(weights.path or weights.name)
    try:
        model = WhisperModel(source, device=device, compute_type=compute_type, cpu_threads=config.threads)
    except (OSError, RuntimeError, ValueError) as error:  # no network, no such name, a broken file, no such GPU
        raise load_failed(weights, error) from None
    return BatchedInferencePipeline(model)
