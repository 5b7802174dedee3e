"""The one decode pass over a video: every frame once, in the order of time, one thread, constant memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from harvest.errors import Reason, StageError
from harvest.media.safe import best_video, open_media

Picture = npt.NDArray[np.uint8]

MAX_SECONDS = 24 * 3600.0  # a forged time stamp may ask for far more
USUAL_RATE = Fraction(25)  # frames a second, where a container does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded picture and its moment."""

    time: float  # seconds since the start of the container, from the presentation timestamp
    pts: int  # the same in units of time_base
    time_base: Fraction
    rate: Fraction  # frames a second, on average
    aspect: Fraction  # width to height of a pixel
    picture: av.VideoFrame
    converters: Mapping[
        str, VideoReformatter
    ]  # by pixel format, shared by all frames: setting one up takes longer than using it

    def as_bgr(self, *, max_width: int) -> Picture:
        """(height, width, 3) in OpenCV's channel order, no wider than `max_width` pixels."""
        return self._converted("bgr24", *self._fitting(self.picture.width / max_width))

    def as_rgb(self, *, short_side: int) -> Picture:
        """(height, width, 3), upright, with square pixels, the shorter side at most `short_side` pixels."""
        return self._upright(self._converted("rgb24", *self._square_size(short_side)))

    def as_luma(self, *, short_side: int) -> Picture:
        """(height, width) brightness of the picture that `as_rgb` gives."""
        return self._upright(self._converted("gray", *self._square_size(short_side)))

    def _square_size(self, short_side: int) -> tuple[int, int]:
        shorter = min(self.picture.width, self.picture.height)
        width, height = self._fitting(shorter / short_side)
        return max(1, round(width * self.aspect)), height

    def _fitting(self, factor: float) -> tuple[int, int]:
        factor = max(1.0, factor)
        return max(1, round(self.picture.width / factor)), max(1, round(self.picture.height / factor))

    def _converted(self, pixel_format: str, width: int, height: int) -> Picture:
        converter = self.converters[pixel_format]
        converted = converter.reformat(self.picture, width, height, pixel_format, interpolation="BILINEAR")
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)

    def _upright(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(np.rot90(picture, k=round(self.picture.rotation / 90) % 4))


def decode(path: Path) -> Iterator[Frame]:
    """The frames of the best video stream.

    A frame that does not advance in time is passed over. Raises StageError(CORRUPT) if nothing can be decoded;
    a file damaged half-way gives what comes before the damage.
    """
    last = -1.0
    with open_media(path) as container:
        stream = best_video(container)
        stream.thread_type = "NONE"  # one thread a video and one video a core is faster than many threads a video
        make = _maker(stream, start=(container.start_time or 0) / av.time_base)
        try:
            for picture in container.decode(stream):
                frame = make(picture)
                if frame is None or frame.time <= last:
                    continue
                if frame.time > MAX_SECONDS:
                    raise StageError(
                        Reason.CORRUPT, f"{path.name} has a frame at second {frame.time:.0f}: not a video."
                    )
                last = frame.time
                yield frame
        except av.error.FFmpegError as error:
            if last < 0:
                raise StageError(Reason.CORRUPT, f"{path.name} cannot be decoded ({error}).") from None
    if last < 0:
        raise StageError(Reason.CORRUPT, f"{path.name} has a video stream without a single frame.")


def _maker(stream: av.VideoStream, *, start: float) -> Callable[[av.VideoFrame], Frame | None]:
    """What turns the stream's pictures into frames; a picture without a time gives none."""
    time_base = stream.time_base or Fraction(1, 1000)
    rate = stream.average_rate or USUAL_RATE
    aspect = _aspect(stream)
    converters = {pixel_format: VideoReformatter() for pixel_format in ("bgr24", "rgb24", "gray")}

    def make(picture: av.VideoFrame) -> Frame | None:
        if picture.pts is None:
            return None
        return Frame(
            time=float(picture.pts * time_base) - start,
            pts=picture.pts,
            time_base=time_base,
            rate=rate,
            aspect=aspect,
            picture=picture,
            converters=converters,
        )

    return make


def _aspect(stream: av.VideoStream) -> Fraction:
    """The shape of a pixel; 1 where the file says nothing or something absurd."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect is not None and Fraction(1, 4) <= aspect <= 4 else Fraction(1)
