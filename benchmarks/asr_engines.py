"""Which Whisper engine, and how wide a search? Words, times and speed on the same made speech, tiny.en, one thread.

    python -m benchmarks.asr_engines [--sentences 12] [--repeats 2] [--only TEXT] [--json FILE]

Speed is CPU seconds for a second of sound, the least of the repeats, which are interleaved: other work on the
machine disturbs it little. Word errors are counted against the words that were spoken. Word times are checked at
the ends of phrases, where the truth is known, for words that were heard right.
"""

import argparse
import difflib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.narration import Talk, make_talks
from harvest.asr import make_transcriber
from harvest.asr.base import Audio, TranscribeConfig, Transcriber
from harvest.asr.engine import WindowTranscriber
from harvest.asr.listener import Heard, HeardWord, Listened
from harvest.asr.models import find_weights
from harvest.asr.windows import Window
from harvest.records import Transcript

LATE = 0.3  # seconds; a word further off than this may fall on the wrong side of a cut


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, and its time where it is known or heard."""

    text: str
    start: float | None
    end: float | None


class Sequential:
    """The other way to use faster-whisper: `transcribe`, window by window, which seeks by Whisper's own time tokens."""

    name: ClassVar[str] = "faster-whisper-sequential"

    def __init__(self, config: TranscribeConfig) -> None:
        from faster_whisper import WhisperModel

        path = find_weights(config.model).path
        self._model: Any = WhisperModel(str(path), compute_type="int8", cpu_threads=config.threads)
        self._beam_size = config.beam_size
        self.languages = frozenset(self._model.supported_languages)

    def listen(self, audio: Audio, windows: Sequence[Window], language: str) -> Listened:
        heard = []
        for window in windows:
            segments, _ = self._model.transcribe(
                audio.samples[window.first : window.end],
                language=language,
                beam_size=self._beam_size,
                temperature=0.0,
                condition_on_previous_text=False,
                word_timestamps=True,
            )
            heard += [_heard(segment, window) for segment in segments]
        return Listened(language, -1.0, heard)


def _heard(segment: Any, window: Window) -> Heard:
    shift = window.start_s
    return Heard(
        window=window,
        words=tuple(HeardWord(w.word, w.start + shift, w.end + shift, w.probability) for w in segment.words),
        avg_logprob=segment.avg_logprob,
        no_speech_prob=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
    )


def sequential(config: TranscribeConfig) -> Transcriber:
    return WindowTranscriber(config, Sequential(config), config.model)


def candidates() -> dict[str, Transcriber]:
    made: dict[str, Transcriber] = {}
    for beam_size in (1, 5):
        faster = TranscribeConfig(engine="faster-whisper", beam_size=beam_size)
        openai = TranscribeConfig(engine="openai", beam_size=beam_size)
        made[f"faster-whisper batched, beam {beam_size}"] = make_transcriber(faster)
        made[f"faster-whisper sequential, beam {beam_size}"] = sequential(faster)
        made[f"openai, beam {beam_size}"] = make_transcriber(openai)
    return made


def measure(sentences: int, repeats: int, only: str) -> dict[str, dict[str, float]]:
    """Figures by candidate."""
    talks = make_talks(sentences)
    transcribers = {name: transcriber for name, transcriber in candidates().items() if only in name}
    seconds: dict[str, list[float]] = {name: [] for name in transcribers}
    transcripts: dict[str, list[Transcript]] = {}
    warm_up = Audio(samples=talks[0].audio.samples[: 5 * 16_000])
    for transcriber in transcribers.values():
        list(transcriber.transcribe([warm_up]))  # openai-whisper compiles its alignment at the first use
    for _ in range(repeats):
        for name, transcriber in transcribers.items():
            started = time.process_time()
            transcripts[name] = list(transcriber.transcribe([talk.audio for talk in talks]))
            seconds[name].append(time.process_time() - started)
            print(f"{name}: {seconds[name][-1]:.1f} CPU seconds", flush=True)
    total = sum(talk.audio.duration_s for talk in talks)
    return {
        name: {"times_real_time": min(seconds[name]) / total, **score(talks, transcripts[name])} for name in transcripts
    }


def score(talks: Sequence[Talk], transcripts: Sequence[Transcript]) -> dict[str, float]:
    figures: dict[str, float] = {}
    errors, words = 0, 0
    differences: list[float] = []
    for talk, transcript in zip(talks, transcripts, strict=True):
        truth, heard = _truth(talk), _heard_words(transcript)
        wrong = word_errors([word.text for word in truth], [word.text for word in heard])
        figures[f"word_error_rate.{talk.name}"] = wrong / len(truth)
        errors, words = errors + wrong, words + len(truth)
        differences += time_differences(truth, heard)
    return {
        "word_error_rate": errors / words,
        **figures,
        "time_error_mean": float(np.mean(differences)),
        "time_error_95th": float(np.quantile(differences, 0.95)),
        "late_share": float(np.mean(np.array(differences) > LATE)),
    }


def _truth(talk: Talk) -> list[Spoken]:
    words = []
    for phrase in talk.phrases:
        texts = _plain(phrase.text)
        for index, text in enumerate(texts):
            start = phrase.start if index == 0 else None
            end = phrase.end if index == len(texts) - 1 else None
            words.append(Spoken(text, start, end))
    return words


def _heard_words(transcript: Transcript) -> list[Spoken]:
    return [
        Spoken(text, word.start, word.end)
        for segment in transcript.segments
        for word in segment.words
        for text in _plain(word.text)
    ]


def _plain(text: str) -> list[str]:
    return re.sub(r"[^a-z']+", " ", text.lower()).split()


def word_errors(truth: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest words to change, put in or leave out."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(truth):
        following = [index + 1]
        for position, other in enumerate(heard):
            following.append(min(row[position] + (word != other), row[position + 1] + 1, following[position] + 1))
        row = following
    return row[-1]


def time_differences(truth: Sequence[Spoken], heard: Sequence[Spoken]) -> list[float]:
    """Seconds by which words heard right begin or end beside the known times."""
    matcher = difflib.SequenceMatcher(None, [w.text for w in truth], [w.text for w in heard], autojunk=False)
    differences = []
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            known, found = truth[block.a + offset], heard[block.b + offset]
            for true_time, time_found in ((known.start, found.start), (known.end, found.end)):
                if true_time is not None and time_found is not None:
                    differences.append(abs(time_found - true_time))
    return differences


def show(figures: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(figures.values())))
    table = Table("candidate", *columns)
    for name, values in figures.items():
        table.add_row(name, *(f"{values[column]:.3f}" for column in columns))
    Console(width=200).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=12, help="in each of the three talks, at most 20")
    parser.add_argument("--only", default="", help="measure the candidates whose name contains this")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments.sentences, arguments.repeats, arguments.only)
    show(figures)
    if arguments.json:
        flat = {f"{name}.{key}": value for name, values in figures.items() for key, value in values.items()}
        arguments.json.write_text(json.dumps(flat, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
