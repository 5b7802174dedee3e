"""Where one shot ends and the next begins: found frame by frame, told in the order of time, a little later.

    hard cuts   PySceneDetect's AdaptiveDetector; looking to both sides rules out flashes
    pages       changes too small for it, where the pictures before and after stand still
    fades       through black
    dissolves   one picture blending into another

AdaptiveDetector's settings are the best of its authors' own sweep over three public sets (PySceneDetect,
benchmark/README.md: threshold 3.5, window 3, 0.6 s); it misses gradual changes, and takes a flash for two cuts.
"""

from bisect import insort
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scenedetect import FrameTimecode
from scenedetect.common import Timecode
from scenedetect.detectors import AdaptiveDetector

from configs import Config
from harvest.dissolves import LOOKAHEAD_S, DissolveFinder
from harvest.fades import FadeFinder
from harvest.glimpses import Cut, Glimpse, Glimpses, difference
from harvest.media.frames import Frame, Picture

SIDES_S = 0.45  # seconds before and after a hard cut that are looked at
BACK = 0.5  # of the change at a cut: if less is left of it a moment later, it was a flash
LEAST_CHANGE = 3.0  # mean absolute difference (0..255) below which nothing is a cut: hues flicker in the dark
PAGE_STANDOUT = 10.0  # times any change beside it that a change must be to turn a page ...
PAGE_AREA = 0.4  # ... and the share of the picture that must change: a name that is blended in is no new page
DELAY_S = LOOKAHEAD_S + 1.0  # after which all cuts up to a time are known
MOST_REACH_S = 1.0  # seconds around a cut in which pictures may be unclear


class CutConfig(Config):
    """How cuts are found. The detector transnetv2 heeds only its own threshold, `min_scene_s` and `width`."""

    detector: Literal["adaptive", "transnetv2"] = "adaptive"
    transnetv2_threshold: float = Field(default=0.5, gt=0, lt=1)  # likelihood of a cut; 0.3 finds more fades, flashes
    threshold: float = Field(default=3.5, gt=0)  # how far a frame's change stands out of its neighbours'
    window: int = Field(default=3, ge=1)  # frames on each side that count as neighbours
    min_change: float = Field(
        default=15.0, ge=0
    )  # mean change in hue, saturation and luma (0..255) below which only still pictures make a cut
    min_scene_s: float = Field(default=0.6, ge=0)
    black_level: float = Field(
        default=4.0, ge=0
    )  # mean brightness below which a picture has faded out; 0: ignore fades
    dissolves: bool = True  # whether one picture's blending into another is a cut
    width: int = Field(default=256, ge=16)  # pixels, of the pictures that are compared


class CutDetector:
    """Finds the cuts of one video, in the order of time."""

    name: ClassVar[str] = "adaptive+page+fade+dissolve"

    def __init__(self, config: CutConfig) -> None:
        self._config = config
        self._adaptive = AdaptiveDetector(
            adaptive_threshold=config.threshold,
            window_width=config.window,
            min_content_val=config.min_change,
            min_scene_len=0,  # a flash must not hide the cut after it
        )
        self._glimpses = Glimpses(span_s=2 * DELAY_S)
        self._fades = FadeFinder(config.black_level)
        self._dissolves = DissolveFinder(self._glimpses)
        self._candidates: list[float] = []  # hard cuts that are not yet looked at from both sides
        self._looked_at = 0.0  # the time up to which frames were looked at for turned pages
        self._found: list[tuple[float, float]] = []  # time and reach of what is not yet told
        self._last_cut = 0.0
        self._now = 0.0

    @property
    def settled_until(self) -> float:
        """The time up to which it is known of all frames whether a cut is near."""
        return self._now - DELAY_S - MOST_REACH_S

    def feed(self, frame: Frame, bgr: Picture) -> list[Cut]:
        """The cuts that are settled with this frame. `bgr` is its picture, scaled down."""
        now = self._now = frame.time
        glimpse = self._glimpses.add(now, bgr)
        self._candidates += self._hard_cuts(frame, bgr)
        self._note(self._fades.feed(glimpse))
        if self._config.dissolves:
            self._note(self._dissolves.feed(now))
        self._settle(now - SIDES_S)
        return self._told(now - DELAY_S)

    def finish(self) -> list[Cut]:
        """What is left when the video is over."""
        self._settle(np.inf)
        if self._config.dissolves:
            self._note(self._dissolves.finish())
        return self._told(np.inf)

    def _hard_cuts(self, frame: Frame, bgr: Picture) -> list[float]:
        start = frame.time - float(frame.pts * frame.time_base)
        timecode = FrameTimecode(Timecode(pts=frame.pts, time_base=frame.time_base), fps=frame.rate)
        return [start + float(cut.seconds) for cut in self._adaptive.process_frame(timecode, bgr)]

    def _settle(self, until: float) -> None:
        """Judge the candidates up to `until`, whose both sides are known."""
        ready = [time for time in self._candidates if time <= until]
        self._candidates = [time for time in self._candidates if time > until]
        self._note([Cut(time=time) for time in ready if self._is_cut(time)])
        for glimpse in self._glimpses.between(np.nextafter(self._looked_at, np.inf), until):
            self._looked_at = glimpse.time
            if glimpse.change >= LEAST_CHANGE and self._turns_page(glimpse):
                self._note([Cut(time=glimpse.time)])

    def _is_cut(self, time: float) -> bool:
        """Not where what is seen before comes back soon after: a flash, or something that passes the camera."""
        before = self._glimpses.between(time - SIDES_S, time - 1e-4)
        after = self._glimpses.between(time - 1e-4, time + SIDES_S)
        if not before or not after:
            return True
        change = after[0].change
        comes_back = any(difference(one.picture, two.picture) < BACK * change for one in before for two in after[1:])
        return change >= LEAST_CHANGE and not comes_back

    def _turns_page(self, glimpse: Glimpse) -> bool:
        beside = self._glimpses.between(glimpse.time - SIDES_S, glimpse.time + SIDES_S)
        place = beside.index(glimpse)
        if not place or glimpse.change < PAGE_STANDOUT * max(
            (other.change for other in (*beside[1:place], *beside[place + 1 :])), default=0.0
        ):
            return False
        changed = np.abs(glimpse.picture - beside[place - 1].picture).max(axis=2) > 2 * LEAST_CHANGE
        return float(changed.mean()) >= PAGE_AREA

    def _note(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            insort(self._found, (cut.time, min(cut.reach, MOST_REACH_S)))

    def _told(self, until: float) -> list[Cut]:
        told = []
        while self._found and self._found[0][0] <= until:
            time, reach = self._found.pop(0)
            if time - self._last_cut >= self._config.min_scene_s:
                self._last_cut = time
                told.append(Cut(time=time, reach=reach))
        return told
