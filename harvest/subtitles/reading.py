"""Subtitles out of files (SubRip, WebVTT, ASS) and out of the text streams of media.

    clip.en.srt | clip.mkv -> libav -> Track of raw cues

libav reads all of them, as it does for players; each format leaves as ASS, whose marks harvest.subtitles.text removes.
Pictures of text (DVD, Blu-ray), teletext and captions inside of video frames are not read. A damaged cue is left out;
a track that cannot be read, or is absurdly large, says so and holds none.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from harvest.media.safe import PROTOCOLS, open_media
from harvest.subtitles.cue import MAX_BYTES, MAX_CUE_CHARACTERS, MAX_CUES, MAX_TRACKS, Cue, Track

EXTENSIONS = frozenset({".srt", ".vtt", ".ass", ".ssa"})
FORMATS = "srt,webvtt,ass"
CODECS = frozenset({"mov_text", "subrip", "srt", "text", "webvtt", "ass", "ssa"})
ENCODINGS = ("utf-8-sig", "cp1252")  # the second takes nearly all bytes; what is Cyrillic or Greek agrees with nobody
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class _Refused(Exception):
    """The track is not to be read on."""


def read_file(path: Path, language: str) -> Track:
    """The cues of a subtitle file as they stand."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        cues = _cues_of(content)
    except OSError as error:
        return Track(name=path.name, language=language, problem=f"cannot be opened ({error.strerror or error})")
    except _Refused as refused:
        return Track(name=path.name, language=language, problem=str(refused))
    return Track(name=path.name, language=language, cues=cues)


def read_embedded(media: Path) -> list[Track]:
    """The text streams of a media file. Raises StageError(CORRUPT) if it is not one."""
    with open_media(media) as container:
        numbers = [stream.index for stream in container.streams.subtitles if _is_spoken_text(stream)]
    return [_read_stream(media, number) for number in numbers[:MAX_TRACKS]]


def _is_spoken_text(stream: SubtitleStream) -> bool:
    """Forced subtitles translate signs and foreign words and leave out all else."""
    context = stream.codec_context
    return context is not None and context.name in CODECS and not stream.disposition & stream.disposition.forced


def _read_stream(media: Path, number: int) -> Track:
    name = f"stream {number}"
    with open_media(media) as container:
        stream = container.streams[number]
        assert isinstance(stream, SubtitleStream)
        language = "" if stream.language in (None, "und") else str(stream.language)
        try:
            cues = tuple(_decoded(container, stream))
        except _Refused as refused:
            return Track(name=name, language=language, problem=str(refused))
    return Track(name=name, language=language, cues=cues)


def _cues_of(content: bytes) -> tuple[Cue, ...]:
    if len(content) > MAX_BYTES:
        raise _Refused(f"is over {MAX_BYTES >> 20} MiB, which no subtitles are")
    readable = io.BytesIO(_as_text(content).encode("utf-8", "replace"))
    options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
    try:
        with av.open(readable, mode="r", options=options) as container:
            return tuple(_decoded(container, container.streams.subtitles[0]))
    except (av.error.FFmpegError, ValueError, IndexError):
        raise _Refused("is neither SubRip nor WebVTT nor ASS") from None


def _as_text(content: bytes) -> str:
    if content.startswith(UTF_16):
        return content.decode("utf-16", "replace")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def _decoded(container: InputContainer, stream: SubtitleStream) -> Iterator[Cue]:
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    begin = (container.start_time or 0) / av.time_base  # second 0 is the container's start, as for frames and sound
    count = size = 0
    for packet in container.demux(stream):
        count, size = count + 1, size + packet.size
        if count > MAX_CUES or size > MAX_BYTES:
            raise _Refused(f"holds more than {MAX_CUES} cues or {MAX_BYTES >> 20} MiB, which no subtitles do")
        if packet.pts is None or not packet.duration or packet.time_base is None:
            continue
        start = float(packet.pts * packet.time_base) - begin
        text = "\n".join(_texts(packet))
        if 0 < len(text) <= MAX_CUE_CHARACTERS:
            yield Cue(start=start, end=start + float(packet.duration * packet.time_base), text=text)


def _texts(packet: "av.Packet[SubtitleStream]") -> Iterator[str]:
    """The last field of "number,layer,style,name,left,right,vertical,effect,text"."""
    try:
        decoded = packet.decode()
    except (av.error.FFmpegError, ValueError):
        return  # one damaged cue
    for part in decoded:
        if isinstance(part, AssSubtitle):
            yield part.ass.decode("utf-8", "replace").split(",", 8)[-1]
