"""The vocabulary: what is known of a video, one frozen record a step, to and from JSON.

    VideoRef   where a video is                 (sources)
    Video      its media file and its facts     (download)
    Transcript what is said, word by word       (transcribe)
    Scenes     its shots and their key frames   (scenes)

Times are seconds on the video's own clock; floats are rounded when made, so records compare and serialise alike.
"""

import dataclasses
import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleFile:
    """Subtitles that somebody published with a video; never those a machine made."""

    file: str  # name in the video's folder, or the absolute path of a local file read in place
    language: str  # as declared: "en", "pt-BR", "eng"; "" if not
    digest: str  # SHA-256 of the content, the first 16 hex digits
    problem: str = ""  # why it was not fetched, "" if it was


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRef:
    """A video somebody asked for, before anything is known of it."""

    id: str  # letters, digits, "-" and "_": names the folder; the same video always gets the same
    url: str  # what to download; "file:" and the name for a local file
    path: str = ""  # absolute path of a local file, "" for what must be downloaded
    title: str = ""  # as the playlist gives it
    subtitles: tuple[SubtitleFile, ...] = ()  # that lie beside a local file


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """The media on disk and what its source says about it. Unknown texts are ""."""

    id: str
    url: str  # of the page a person would open
    media: str  # file name in the video's folder, or the absolute path of a local file read in place
    extractor: str  # yt-dlp's name for the site, or "file"
    title: str
    channel: str
    license: str
    upload_date: str  # YYYY-MM-DD
    language: str  # as declared by the source
    retrieved_at: str  # YYYY-MM-DD; "" for local files
    duration: float
    width: int  # pixels
    height: int
    subtitles: tuple[SubtitleFile, ...] = ()  # the streams inside the media are not among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One spoken word with its punctuation."""

    text: str  # with the blank before it, as Whisper gives it: some languages have none
    start: float
    end: float
    probability: float  # the recogniser's, 0..1; 1 where a person wrote the word


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech as Whisper cut it, with Whisper's own scores."""

    words: tuple[Word, ...]
    avg_logprob: float  # mean log-probability of the tokens, <= 0
    no_speech_prob: float  # 0..1
    compression_ratio: float  # of the text by zlib; above 2.4 Whisper suspects a loop
    voice_s: float = -1.0  # seconds of voice detected where this was heard; -1 where nobody looked for voice
    heard_again: bool = False  # alone: at first too few words were heard for so much voice


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedSubtitles:
    """A track of subtitles that was held against what was heard, and what came of it."""

    name: str  # of the file, or "stream 2"
    language: str  # as declared, "" if not
    cues: int  # after cleaning
    used_cues: int  # whose words are in the transcript
    agreement: float  # share of the track's words that were heard, too; -1 where nobody listened
    verdict: str  # "used", or why it was not


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All speech of a video. No segments means that nobody speaks."""

    language: str  # two letters
    model: str
    engine: str
    segments: tuple[Segment, ...]
    language_prob: float = -1.0  # Whisper's, 0..1; -1 where it was not asked: the language was given, or the only one
    voice_s: float = -1.0  # seconds of voice detected in all; -1 where nobody looked for voice
    heard_again: int = 0  # stretches of speech to which Whisper listened twice
    source: str = "asr"  # or "subtitles", times shared out by length; or "aligned": a person's words, Whisper's times
    subtitles: tuple[TriedSubtitles, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrame:
    """The best still picture of a stretch of a scene."""

    file: str  # relative to the video's folder
    time: float
    start: float  # of the stretch it stands for
    end: float
    width: int  # pixels, of the JPEG
    height: int
    # Black bars that were cut off at the left, top, right and bottom: shares of the width and height.
    crop: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    sharpness: float  # variance of the Laplacian of the 8-bit luma
    brightness: float  # mean luma, 0..255
    contrast: float  # standard deviation of the luma
    exposure: float = 1.0  # 0..1, how near the luma is to the middle of its range
    motion: float  # mean absolute difference to the frame before or after, whichever is more, 0..255
    dhash: str  # 64-bit difference hash, 16 hex digits
    thumbnail: str  # 16 x 9 pixels, RGB, a byte a level, in base 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """From one cut to the next."""

    start: float
    end: float
    frames: tuple[KeyFrame, ...]  # in the order of time; several where a long scene is talked over


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """All scenes of a video."""

    detector: str
    scenes: tuple[Scene, ...]


Record = VideoRef | Video | Transcript | Scenes
RecordType = TypeVar("RecordType", VideoRef, Video, Transcript, Scenes)


def clean(text: str) -> str:
    """A stranger's text as valid Unicode: file names and pages may hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def to_json(record: Record) -> dict[str, Any]:
    """Plain data that `from_json` reads back."""
    return dataclasses.asdict(record)


def from_json(kind: type[RecordType], values: Mapping[str, Any]) -> RecordType:
    """The record in `values`. Raises ValueError when a field is missing, unknown or of the wrong kind."""
    return _build(kind, values)  # type: ignore[no-any-return]


def _build(kind: Any, value: Any) -> Any:
    if type(value) is kind:
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        if not isinstance(value, Mapping) or value.keys() != hints.keys():
            raise ValueError(f"not a {kind.__name__}")
        return kind(**{name: _build(hint, value[name]) for name, hint in hints.items()})
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError("not a list")
        (item_kind, _) = get_args(kind)
        return tuple([_build(item_kind, item) for item in value])
    assert get_origin(kind) not in (Union, types.UnionType)  # records have no optional fields
    if kind is float and type(value) is int:
        return float(value)
    raise ValueError(f"{value!r:.80} is not of type {kind.__name__}")


@functools.cache  # a long video has tens of thousands of words
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
