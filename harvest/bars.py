"""Black bars beside, above and below the picture, which are no part of it.

A bar is black whenever it is seen and ends in a straight line, beyond which the picture is lit along all of its
width. So neither a dark scene nor a lamp on a dark stage has bars; a logo in a bar makes it part of the picture, but
subtitles, which come and go, do not. Each scene is judged by itself; where it is too dark to tell, the bars that were
last found are taken, if they are all but black here, too.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from harvest.media.frames import Picture

BLACK = 16  # luma (0..255) up to which a pixel is: what codecs leave of black
SPECKS = 0.01  # share of a line's pixels that may be lit in a black line
LEAST_LIT = 0.25  # share of its most lit line's pixels that are lit in a frame that tells of bars
WIDE = 0.6  # share of that which is lit in a line along all of which there is a picture
LEAST_BLACK = 0.25  # share of the frames in which a bar shows no subtitle
LEAST_EDGE = 0.25  # share of the frames in which the line beside a bar is wide
BLUR = 3  # lines that scaling and codecs leave between bar and picture
LEAST_BAR, LEAST_PICTURE = 0.01, 0.25  # shares of all lines
LEAST_FRAMES = 3
MOST_IN_KNOWN = 0.1  # share of the pixels that may be lit in bars that were found before: subtitles

Shares = npt.NDArray[np.float32]
Margins = tuple[float, float]  # shares of all lines, at the beginning and the end
Crop = tuple[float, float, float, float]
"""What is cut off at the left, top, right and bottom: shares of the width and height."""

WHOLE: Crop = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lit:
    """How much of a frame is not black: the share of lit pixels in each of its lines."""

    columns: Shares
    rows: Shares


def lit(luma: Picture) -> Lit:
    """Of the (height, width) brightness of a frame."""
    _, bright = cv2.threshold(luma, BLACK, 1, cv2.THRESH_BINARY)
    columns, rows = (cv2.reduce(bright, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() for axis in (0, 1))
    return Lit(columns=columns, rows=rows)


class BarFinder:
    """Finds the bars of one video, scene by scene."""

    def __init__(self) -> None:
        self._columns, self._rows = _Axis(), _Axis()

    def add(self, seen: Lit) -> None:
        """One more frame of the scene."""
        self._columns.add(seen.columns)
        self._rows.add(seen.rows)

    def crop(self) -> Crop:
        """By what was seen of the scene up to now."""
        left, right = self._columns.margins()
        top, bottom = self._rows.margins()
        return left, top, right, bottom

    def end_scene(self) -> None:
        for axis in (self._columns, self._rows):
            axis.end_scene()


class _Axis:
    """The columns, or the rows."""

    def __init__(self) -> None:
        self._known: Margins = (0.0, 0.0)  # of the last scene that had any
        self._begin(0)

    def add(self, shares: Shares) -> None:
        if len(shares) != len(self._black):  # a stream may change its resolution half-way
            self._begin(len(shares))
        self._frames += 1
        self._lit += shares
        most = float(shares.max())
        if most >= LEAST_LIT:
            self._telling += 1
            self._black += shares <= SPECKS
            self._wide += shares >= WIDE * most

    def end_scene(self) -> None:
        self._known = self._found() or self._known
        self._begin(len(self._black))

    def margins(self) -> Margins:
        found = self._found()
        if found is not None:
            return found
        return self._known if self._is_dark_beyond(self._known) else (0.0, 0.0)

    def _begin(self, lines: int) -> None:
        self._frames = self._telling = 0
        self._black, self._wide = np.zeros(lines, np.int64), np.zeros(lines, np.int64)
        self._lit = np.zeros(lines, np.float64)  # sums of shares

    def _found(self) -> Margins | None:
        """None where there are no bars."""
        if self._telling < LEAST_FRAMES:
            return None
        lines = len(self._black)
        start, end = (self._bar(step) / lines for step in (1, -1))
        return (start, end) if start + end and start + end <= 1 - LEAST_PICTURE else None

    def _bar(self, step: int) -> int:
        """How many lines from the beginning, or the end, are a bar."""
        black, wide = self._black[::step], self._wide[::step]
        is_bar = (black >= LEAST_BLACK * self._telling) & (wide == 0)
        length = int(np.argmin(is_bar))
        beside = wide[length : length + BLUR + 1] >= LEAST_EDGE * self._telling
        if length < LEAST_BAR * len(black) or not beside.any():
            return 0
        return length + int(np.argmax(beside))

    def _is_dark_beyond(self, margins: Margins) -> bool:
        lines = len(self._lit)
        first, last = round(margins[0] * lines), lines - round(margins[1] * lines)
        return all(
            not len(beyond) or float(beyond.mean()) <= MOST_IN_KNOWN * self._frames
            for beyond in (self._lit[:first], self._lit[last:])
        )
