"""What subtitles are made of, and how much of it is taken from a stranger."""

from dataclasses import dataclass

MAX_BYTES = 8 << 20  # of a file, or of a stream's texts; four hours of speech are 300 kB
MAX_CUES = 50_000
MAX_CUE_CHARACTERS = 1_000  # two lines of 42 characters are usual
MAX_TRACKS = 8  # of a video; a channel may offer a translation into every language there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A text and when it is shown."""

    start: float  # seconds on the video's own clock
    end: float
    text: str  # lines are parted by "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The subtitles of one file or stream."""

    name: str  # of the file, or "stream 2"
    language: str  # as declared, "" if not
    cues: tuple[Cue, ...] = ()
    problem: str = ""  # why it cannot be read, "" if it can
