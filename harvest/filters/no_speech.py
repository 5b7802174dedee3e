"""Drops frames over which nobody speaks, or Whisper itself doubts that anybody does."""

from typing import ClassVar

from harvest.filters.base import FilterConfig
from harvest.pairing import Pair


class NoSpeech:
    name: ClassVar[str] = "no_speech"

    def __init__(self, config: FilterConfig) -> None:
        self._config = config

    def reason_to_drop(self, pair: Pair) -> str | None:
        if not pair.words:
            return self.name
        # Whisper's own rule: the silence must be likely *and* the words unlikely (whisper/transcribe.py).
        silent = pair.no_speech_prob > self._config.max_no_speech_prob
        return "doubtful_speech" if silent and pair.avg_logprob < self._config.min_avg_logprob else None
