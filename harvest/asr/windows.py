"""Sound cut into windows of at most 30 seconds, as much as Whisper hears at once: where somebody speaks, or all.

    audio -> Silero's voice detector -> stretches of speech -> windows, cut in the pauses

Cutting first keeps Whisper from inventing words in silence and from joining sentences across it, and keeps memory
from growing with the length of a video. The detector is the one that faster-whisper ships.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from harvest.asr.base import RATE_HZ, Audio

LONGEST = 30  # seconds; fixed by the model
JOINED_PAUSE = 1.0  # seconds; shorter pauses do not end a window: words around them help each other
PIECE = 600  # seconds given to the detector at once; it needs several times the memory of what it hears
SEARCHED = 5 * RATE_HZ  # samples before a window's end in which a quiet place to cut is looked for
HUSH = RATE_HZ // 50  # samples over which loudness is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which samples of an audio."""

    first: int
    end: int  # one behind the last
    stretches: tuple["Window", ...] = ()  # in which a voice was detected; none where nobody looked for it

    @property
    def voice_s(self) -> float:
        """Seconds of voice, the quarter second or so around each stretch included; -1 where nobody looked for it."""
        return sum(one.end_s - one.start_s for one in self.stretches) if self.stretches else -1.0

    @property
    def start_s(self) -> float:
        return self.first / RATE_HZ

    @property
    def end_s(self) -> float:
        return self.end / RATE_HZ


def speech_windows(audio: Audio) -> list[Window]:
    """The parts of `audio` in which somebody speaks, in order; none when nobody does."""
    return _join(_stretches(audio))


def all_windows(audio: Audio) -> list[Window]:
    """The whole of `audio`, cut where it is quietest."""
    return cut_window(audio, Window(first=0, end=len(audio.samples)), LONGEST)


def cut_window(audio: Audio, window: Window, longest_s: int) -> list[Window]:
    """The window in pieces of at most `longest_s`, more than 5, each cut off where it is quietest."""
    windows = []
    first = window.first
    while first < window.end:
        end = min(first + longest_s * RATE_HZ, window.end)
        if end < window.end:
            end = _quietest(audio, end - SEARCHED, end)
        windows.append(Window(first=first, end=end))
        first = end
    return windows


def _stretches(audio: Audio) -> Iterator[Window]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=LONGEST, min_silence_duration_ms=400, speech_pad_ms=200)
    for offset in range(0, len(audio.samples), PIECE * RATE_HZ):
        piece = audio.samples[offset : offset + PIECE * RATE_HZ]
        for found in get_speech_timestamps(piece, options):
            yield Window(first=offset + found["start"], end=offset + found["end"])


def _join(stretches: Iterable[Window]) -> list[Window]:
    joined: list[Window] = []
    for stretch in stretches:
        if joined and _belong_together(joined[-1], stretch):
            before = joined.pop()
            joined.append(Window(first=before.first, end=stretch.end, stretches=(*before.stretches, stretch)))
        else:
            joined.append(Window(first=stretch.first, end=stretch.end, stretches=(stretch,)))
    return joined


def _belong_together(before: Window, after: Window) -> bool:
    return after.start_s - before.end_s <= JOINED_PAUSE and after.end_s - before.start_s <= LONGEST


def _quietest(audio: Audio, first: int, end: int) -> int:
    loudness = np.abs(audio.samples[first:end]).reshape(-1, HUSH).sum(axis=1)
    return first + int(loudness.argmin()) * HUSH + HUSH // 2
