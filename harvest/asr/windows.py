"""Where somebody speaks: sound cut into windows of at most 30 seconds, the most that Whisper hears at once.

    audio -> Silero's voice detector -> stretches of speech -> windows, cut in the pauses

Cutting first keeps Whisper from inventing words in silence and from joining sentences across it, and memory from
growing with the length of a video. The detector is the one that faster-whisper ships.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harvest.asr.base import RATE_HZ, Audio

LONGEST = 30  # seconds; fixed by the model
JOINED_PAUSE = 1.0  # seconds; shorter pauses do not end a window: words around them help each other
PIECE = 600  # seconds given to the detector at once; it needs several times the memory of what it hears


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A part of an audio."""

    start: float  # seconds into the audio
    audio: Audio


def whole(audio: Audio) -> list[Window]:
    """The audio as it is, for Whisper to find its way through."""
    return [Window(start=0.0, audio=audio)]


def speech_windows(audio: Audio) -> list[Window]:
    """The parts of `audio` in which somebody speaks, in order; none when nobody does."""
    return [
        Window(start=first / RATE_HZ, audio=Audio(samples=audio.samples[first:end]))
        for first, end in _join(_stretches(audio))
    ]


def _stretches(audio: Audio) -> Iterator[tuple[int, int]]:
    """First sample and end of each stretch of speech, a little silence included."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=LONGEST, min_silence_duration_ms=400, speech_pad_ms=200)
    for offset in range(0, len(audio.samples), PIECE * RATE_HZ):
        piece = audio.samples[offset : offset + PIECE * RATE_HZ]
        for found in get_speech_timestamps(piece, options):
            yield offset + found["start"], offset + found["end"]


def _join(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, end in stretches:
        if joined and first - joined[-1][1] <= JOINED_PAUSE * RATE_HZ and end - joined[-1][0] <= LONGEST * RATE_HZ:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined
