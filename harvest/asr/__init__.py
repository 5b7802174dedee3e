"""Speech to words: Whisper, run by one of two engines."""

from harvest.asr.base import TranscribeConfig, Transcriber
from harvest.asr.engine import WindowTranscriber
from harvest.asr.faster_whisper import FasterWhisper
from harvest.asr.models import find_weights
from harvest.asr.openai_whisper import OpenAIWhisper

ENGINES: dict[str, type[FasterWhisper] | type[OpenAIWhisper]] = {
    "faster-whisper": FasterWhisper,
    "openai": OpenAIWhisper,
}


def make_transcriber(config: TranscribeConfig) -> Transcriber:
    """Load the engine and the model that `config` names. Raises RequestError if either cannot be had."""
    weights = find_weights(config.model)
    return WindowTranscriber(config, ENGINES[config.engine](config, weights), weights.name)
