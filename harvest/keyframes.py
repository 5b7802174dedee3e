"""Which frame stands for a scene: the sharpest still one that is well exposed, away from the cuts and from flashes.

Frames come one by one and only a few are held: those so new that a cut may still be found before them, and the
best of the current stretch. A scene that is talked over for long gets a frame a stretch.
"""

import dataclasses
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import Field

from configs import Config
from harvest.bars import WHOLE, BarFinder, Lit, lit
from harvest.glimpses import Cut
from harvest.media.frames import Frame, Picture
from harvest.records import KeyFrame, Scene
from harvest.stills import difference_hash, exposure, jpeg, sharpness, take, thumbnail

BESIDE_S = 0.5  # seconds before and after a frame whose light it is compared with
NEAR_S = 0.15  # seconds from a flash, within which a frame may be lit by it in part
FLASH = 10.0  # mean level (0..255) by which a frame in a flash is brighter, or darker, than what is on both sides of it


class KeyFrameConfig(Config):
    """How key frames are chosen and stored."""

    margin_s: float = Field(default=0.2, ge=0)  # distance from the cuts, where pictures blend
    stretch_s: float = Field(default=8.0, gt=0)  # about two sentences; a longer scene gets several frames
    candidates_per_s: float = Field(default=8.0, gt=0)  # how many frames a second are looked at
    crop_bars: bool = True  # whether black bars are cut off
    short_side: int = Field(default=384, ge=16)  # pixels, of the stored picture at most
    jpeg_quality: int = Field(default=90, ge=1, le=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A frame that may become a key frame."""

    frame: Frame
    sharpness: float
    exposure: float  # 0..1
    motion: float  # mean absolute difference to the frame before or after, whichever is more, 0..255
    lit: Lit

    @property
    def score(self) -> float:
        """Sharpness, discounted where the picture moves, for motion blur hides in the details that Laplacians see, and
        where it is too dark or too bright."""
        return self.sharpness * self.exposure / (1 + self.motion / 8)


@dataclass(frozen=True, slots=True)
class _Best:
    candidate: Candidate
    clear_of_cuts: bool
    clear_of_flashes: bool

    def rank(self) -> tuple[bool, bool, float]:
        return self.clear_of_cuts, self.clear_of_flashes, self.candidate.score


Store = Callable[[bytes, float], str]
"""Keeps a JPEG that shows the given time, and returns the name of its file."""


class KeyFrameChooser:
    """Chooses the key frames of one video, scene by scene."""

    def __init__(self, config: KeyFrameConfig, *, store: Store) -> None:
        """`store` is called once a key frame."""
        self._config = config
        self._store = store
        self._scene_start = Cut(time=0.0, reach=-config.margin_s)  # nothing blends at the very beginning
        self._waiting: deque[Candidate] = deque()
        self._stretch = 0
        self._best: _Best | None = None
        self._chosen: list[KeyFrame] = []
        self._next_candidate = 0.0
        self._previous: Picture | None = None
        self._levels: deque[tuple[float, float]] = deque()  # time and mean level of the last frames
        self._bars = BarFinder()

    def add(self, frame: Frame, small: Picture, *, settled_until: float) -> None:
        """Take the next frame; `small` is its picture scaled down, for telling motion. `settled_until` is the time up
        to which it is known whether a cut is near."""
        motion = 0.0 if self._previous is None else _mean(cv2.absdiff(small, self._previous))
        if self._waiting and self._levels and self._waiting[-1].frame.time == self._levels[-1][0]:
            last = self._waiting[-1]
            self._waiting[-1] = dataclasses.replace(last, motion=max(last.motion, motion))
        self._levels.append((frame.time, _mean(small)))
        if frame.time >= self._next_candidate:
            self._waiting.append(self._measure(frame, motion))
            self._next_candidate = frame.time + 1 / self._config.candidates_per_s
        self._previous = small
        settled_until = min(settled_until - self._config.margin_s, frame.time - BESIDE_S)
        while self._waiting and self._waiting[0].frame.time <= settled_until:
            self._consider(self._waiting.popleft(), end=None)

    def close_scene(self, end: Cut) -> Scene:
        """End the current scene at `end`; frames from there on belong to the next."""
        while self._waiting and self._waiting[0].frame.time < end.time:
            self._consider(self._waiting.popleft(), end=end)
        self._close_stretch(end.time, last=True)
        scene = Scene(start=round(self._scene_start.time, 3), end=round(end.time, 3), frames=tuple(self._chosen))
        self._scene_start, self._chosen, self._stretch, self._best = end, [], 0, None
        self._bars.end_scene()
        return scene

    def _measure(self, frame: Frame, motion: float) -> Candidate:
        luma = frame.as_luma(short_side=self._config.short_side)
        return Candidate(
            frame=frame,
            sharpness=sharpness(luma),
            exposure=exposure(luma),
            motion=motion,
            lit=lit(luma),
        )

    def _consider(self, candidate: Candidate, *, end: Cut | None) -> None:
        time, start, margin = candidate.frame.time, self._scene_start, self._config.margin_s
        stretch = int((time - start.time) / self._config.stretch_s)
        if stretch > self._stretch:
            self._close_stretch(start.time + stretch * self._config.stretch_s, last=False)
            self._stretch = stretch
        self._bars.add(candidate.lit)
        after_start = time - start.time >= start.reach + margin
        before_end = end is None or end.time - time >= end.reach + margin
        contender = _Best(
            candidate, clear_of_cuts=after_start and before_end, clear_of_flashes=not self._is_in_flash(time)
        )
        if self._best is None or contender.rank() > self._best.rank():
            self._best = contender

    def _is_in_flash(self, time: float) -> bool:
        """Whether the light is for a moment other than both before and after."""
        while self._levels[0][0] < time - BESIDE_S:
            self._levels.popleft()
        before = [level for moment, level in self._levels if moment < time]
        after = [level for moment, level in self._levels if time < moment <= time + BESIDE_S]
        if not before or not after:
            return False
        usual = float(np.median(before)), float(np.median(after))
        near = [level for moment, level in self._levels if abs(moment - time) <= NEAR_S]
        return max(near) > max(usual) + FLASH or min(near) < min(usual) - FLASH

    def _close_stretch(self, end: float, *, last: bool) -> None:
        start = self._chosen[-1].end if self._chosen else self._scene_start.time
        if last and self._chosen and end - start < self._config.stretch_s / 2:
            # A short rest joins the stretch before it, whose picture stands for both.
            self._chosen[-1] = dataclasses.replace(self._chosen[-1], end=round(end, 3))
        elif self._best is not None:
            self._chosen.append(self._keep(self._best.candidate, start=start, end=end))
        self._best = None

    def _keep(self, candidate: Candidate, *, start: float, end: float) -> KeyFrame:
        crop = self._bars.crop() if self._config.crop_bars else WHOLE
        still = take(candidate.frame, crop, short_side=self._config.short_side)
        return KeyFrame(
            file=self._store(jpeg(still.rgb, quality=self._config.jpeg_quality), candidate.frame.time),
            time=round(candidate.frame.time, 3),
            start=round(start, 3),
            end=round(end, 3),
            width=still.rgb.shape[1],
            height=still.rgb.shape[0],
            crop=tuple(round(share, 4) for share in crop),
            sharpness=round(sharpness(still.luma), 2),
            brightness=round(float(still.luma.mean()), 2),
            contrast=round(float(still.luma.std()), 2),
            exposure=round(exposure(still.luma), 4),
            motion=round(candidate.motion, 2),
            dhash=difference_hash(still.luma),
            thumbnail=thumbnail(still.rgb),
        )


def _mean(picture: Picture) -> float:
    """Of all channels; many times faster than NumPy's."""
    return sum(cv2.mean(picture)[:3]) / 3
