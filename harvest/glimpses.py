"""The last seconds of a video as tiny pictures, which those who look for cuts compare."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from harvest.media.frames import Picture

SIZE = (64, 36)  # pixels, of a glimpse
CELLS = (16, 9)  # of its grid: so coarse that what moves a little stays in its cell

Levels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a scene begins."""

    time: float  # of its first frame; the middle of a change that takes longer
    reach: float = 0.0  # seconds on either side in which the pictures are not clear


@dataclass(frozen=True, kw_only=True, eq=False)
class Glimpse:
    """A frame, much smaller."""

    time: float
    picture: npt.NDArray[np.int16]  # (36, 64, 3), 0..255
    change: float  # mean absolute difference to the one before, 0..255

    @cached_property
    def grid(self) -> Levels:
        """The mean colours of its cells, as one row of numbers, 0..255."""
        cells = cv2.resize(self.picture.astype(np.float32), CELLS, interpolation=cv2.INTER_AREA)
        return np.asarray(cells, np.float32).ravel()

    @cached_property
    def brightness(self) -> float:
        """Mean of all channels, 0..255."""
        return float(self.picture.mean())


class Glimpses:
    """Those of the last `span_s` seconds, in the order of time."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._times: list[float] = []
        self._held: list[Glimpse] = []

    def add(self, time: float, bgr: Picture) -> Glimpse:
        picture = np.asarray(cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA), np.int16)
        change = difference(picture, self._held[-1].picture) if self._held else 0.0
        glimpse = Glimpse(time=time, picture=picture, change=change)
        self._times.append(time)
        self._held.append(glimpse)
        old = bisect_left(self._times, time - self._span_s)
        if 2 * old > len(self._held):  # now and then, not with every frame
            del self._times[:old], self._held[:old]
        return glimpse

    def first_from(self, time: float) -> Glimpse | None:
        """The first that is not before `time`."""
        place = bisect_left(self._times, time)
        return self._held[place] if place < len(self._held) else None

    def between(self, start: float, end: float) -> list[Glimpse]:
        """Those from `start` to `end`, both included."""
        return self._held[bisect_left(self._times, start) : bisect_right(self._times, end)]

    @property
    def oldest(self) -> float:
        """Its time."""
        return self._times[0]


def difference(one: npt.NDArray[np.int16], other: npt.NDArray[np.int16]) -> float:
    """Mean absolute difference of two pictures, 0..255."""
    return float(np.abs(one - other).mean())
