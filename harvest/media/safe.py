"""Opening untrusted media.

libav would follow a playlist dressed as a video to other files and addresses. Here it may read one local file,
in one of the container formats below; playlists, concat scripts and devices are not among them.
"""

from dataclasses import dataclass
from pathlib import Path

import av

from harvest.errors import Reason, StageError

PROTOCOLS = "file"
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,ogg,asf,mp3,wav,flac,aac"
EXTENSIONS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".m2ts", ".mpg", ".mpeg", ".ogv", ".wmv", ".3gp"}
)
"""File name endings by which a folder's or a link's media is recognised; the content decides what it really is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What a container says about itself."""

    duration: float  # seconds
    width: int  # pixels
    height: int


def open_media(path: Path) -> av.container.InputContainer:
    """Open a local media file for reading. Raises StageError(CORRUPT) for anything that is not one."""
    options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
    try:
        return av.open(str(path.absolute()), mode="r", options=options)
    except FileNotFoundError:
        raise StageError(Reason.GONE, f"{path.name} is no longer there.") from None
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StageError(Reason.CORRUPT, f"{path.name} is not a media file we can read: {reason}.") from None


def best_video(container: av.container.InputContainer) -> av.VideoStream:
    """The video stream that libav thinks best. Raises StageError(NO_VIDEO) where there is none."""
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream) or not stream.width or not stream.height:
        raise StageError(
            Reason.NO_VIDEO, f"{Path(container.name).name} has no video stream: there is no frame to show."
        )
    return stream


def probe(path: Path) -> MediaFacts:
    """Check that `path` can become pairs: a picture and a sound stream, and a length.

    Raises StageError with CORRUPT, NO_VIDEO or NO_AUDIO.
    """
    with open_media(path) as container:
        picture = best_video(container)
        if container.streams.best("audio") is None:
            raise StageError(Reason.NO_AUDIO, f"{path.name} has no audio stream, so nobody can be heard.")
        return MediaFacts(duration=_duration(container, picture), width=picture.width, height=picture.height)


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if container.duration is not None:
        return round(container.duration / av.time_base, 3)
    if stream.duration is not None and stream.time_base is not None:
        return round(float(stream.duration * stream.time_base), 3)
    return 0.0  # live captures and some streams do not say
