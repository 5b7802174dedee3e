"""faster-whisper: Whisper's weights run by CTranslate2, several times faster on a CPU than the original.

It decodes without sampling. The package's retries at rising temperatures draw from a generator that cannot be set
back between two audios (CTranslate2 seeds each thread once), so one video's words would hang on the videos before
it; and on sound that fails at temperature 0 the draws are guesses. Doubt stays visible in the segment's scores.
"""

from typing import Any, ClassVar

from harvest.asr.base import Audio, TranscribeConfig
from harvest.asr.engine import HeardSegment
from harvest.asr.models import Weights, download_failed, load_failed
from harvest.errors import RequestError


class FasterWhisper:
    """An Engine; loads its model when made."""

    name: ClassVar[str] = "faster-whisper"

    def __init__(self, config: TranscribeConfig, weights: Weights) -> None:
        self._beam_size = config.beam_size
        self._model = _load(config, weights)
        self.languages = frozenset(self._model.supported_languages)

    def listen(self, audio: Audio, language: str) -> tuple[str, list[HeardSegment]]:
        segments, facts = self._model.transcribe(
            audio.samples,
            language=language or None,
            beam_size=self._beam_size,
            temperature=0.0,
            condition_on_previous_text=False,  # an error would be carried from window to window
            word_timestamps=True,
        )
        return facts.language, [_heard(segment) for segment in segments]


def _heard(segment: Any) -> HeardSegment:
    return HeardSegment(
        words=tuple((word.word, word.start, word.end, word.probability) for word in segment.words),
        avg_logprob=segment.avg_logprob,
        no_speech_prob=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
    )


def _load(config: TranscribeConfig, weights: Weights) -> Any:
    try:
        import ctranslate2
        from faster_whisper import WhisperModel
    except ImportError:
        raise RequestError(
            "The engine faster-whisper is not installed, so speech cannot become words: "
            "pip install 'harvest-train[harvest]'."
        ) from None
    if weights.path is not None and not (weights.path / "model.bin").is_file():
        raise load_failed(weights, "faster-whisper reads a CTranslate2 folder with a model.bin, and this is none")
    device = config.device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    compute_type: str = config.compute_type
    if compute_type == "auto":
        compute_type = "int8" if device == "cpu" else "float16"
    source = str(weights.path or weights.name)
    try:
        return WhisperModel(source, device=device, compute_type=compute_type, cpu_threads=config.threads)
    except OSError as error:
        raise download_failed(weights, error) from None
    except (RuntimeError, ValueError) as error:  # an unknown name, a broken file, a GPU that is not there
        raise load_failed(weights, str(error)) from None
