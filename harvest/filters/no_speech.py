"""Drops frames over which nobody speaks, or Whisper itself doubts that anybody does."""

from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig


class NoSpeech:
    name: ClassVar[str] = "no_speech"

    def __init__(self, config: FilterConfig) -> None:
        self._config = config

    def judge(self, candidate: Candidate) -> Drop | None:
        pair = candidate.pair
        if not pair.caption:  # no words, or notes of music alone
            return Drop(self.name, 0)
        # Whisper's own rule: the silence must be likely *and* the words unlikely (whisper/transcribe.py).
        silent = pair.no_speech_prob > self._config.max_no_speech_prob
        doubtful = silent and pair.avg_logprob < self._config.min_avg_logprob
        return Drop("doubtful_speech", pair.no_speech_prob) if doubtful else None
