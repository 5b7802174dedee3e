"""Which frame stands for a scene: the sharpest still one, away from the cuts.

Frames come one by one and only a few are held: those so new that a cut may still be found before them, and the
best of the current stretch. A scene that is talked over for long gets a frame a stretch.
"""

import base64
import dataclasses
import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from pydantic import Field

from configs import Config
from harvest.glimpses import Cut
from harvest.media.frames import Frame, Picture
from harvest.records import KeyFrame, Scene

THUMBNAIL = (16, 9)  # pixels


class KeyFrameConfig(Config):
    """How key frames are chosen and stored."""

    margin_s: float = Field(default=0.2, ge=0)  # distance from the cuts, where pictures blend
    stretch_s: float = Field(default=8.0, gt=0)  # about two sentences; a longer scene gets several frames
    candidates_per_s: float = Field(default=8.0, gt=0)  # how many frames a second are looked at
    short_side: int = Field(default=384, ge=16)  # pixels, of the stored picture at most
    jpeg_quality: int = Field(default=90, ge=1, le=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A frame that may become a key frame."""

    frame: Frame
    sharpness: float
    brightness: float
    contrast: float
    motion: float  # mean absolute difference to the frame before, 0..255

    @property
    def score(self) -> float:
        """Sharpness, discounted where the picture moves: motion blur hides in the details that Laplacians see."""
        return self.sharpness / (1 + self.motion / 8)


@dataclass(frozen=True, slots=True)
class _Best:
    candidate: Candidate
    clear_of_cuts: bool

    def rank(self) -> tuple[bool, float]:
        return self.clear_of_cuts, self.candidate.score


Store = Callable[[bytes, float], str]
"""Keeps a JPEG that shows the given time, and returns the name of its file."""


class KeyFrameChooser:
    """Chooses the key frames of one video, scene by scene."""

    def __init__(self, config: KeyFrameConfig, *, settled_after_s: float, store: Store) -> None:
        """`settled_after_s`: seconds after a frame when it is known whether a cut is near; `store` is called once a key
        frame."""
        self._config = config
        self._store = store
        self._settled_after_s = settled_after_s
        self._scene_start = Cut(time=0.0, reach=-config.margin_s)  # nothing blends at the very beginning
        self._waiting: deque[Candidate] = deque()
        self._stretch = 0
        self._best: _Best | None = None
        self._chosen: list[KeyFrame] = []
        self._next_candidate = 0.0
        self._previous: Picture | None = None

    def add(self, frame: Frame, small: Picture) -> None:
        """Take the next frame; `small` is its picture scaled down, for telling motion."""
        if frame.time >= self._next_candidate:
            self._waiting.append(self._measure(frame, small))
            self._next_candidate = frame.time + 1 / self._config.candidates_per_s
        self._previous = small
        while self._waiting and frame.time - self._waiting[0].frame.time >= self._settled_after_s:
            self._consider(self._waiting.popleft(), end=None)

    def close_scene(self, end: Cut) -> Scene:
        """End the current scene at `end`; frames from there on belong to the next."""
        while self._waiting and self._waiting[0].frame.time < end.time:
            self._consider(self._waiting.popleft(), end=end)
        self._close_stretch(end.time, last=True)
        scene = Scene(start=round(self._scene_start.time, 3), end=round(end.time, 3), frames=tuple(self._chosen))
        self._scene_start, self._chosen, self._stretch, self._best = end, [], 0, None
        return scene

    def _measure(self, frame: Frame, small: Picture) -> Candidate:
        luma = frame.as_luma(short_side=self._config.short_side)
        motion = 0.0 if self._previous is None else float(cv2.absdiff(small, self._previous).mean())
        return Candidate(
            frame=frame,
            sharpness=float(cv2.Laplacian(luma, cv2.CV_16S).var()),
            brightness=float(luma.mean()),
            contrast=float(luma.std()),
            motion=motion,
        )

    def _consider(self, candidate: Candidate, *, end: Cut | None) -> None:
        time, start, margin = candidate.frame.time, self._scene_start, self._config.margin_s
        stretch = int((time - start.time) / self._config.stretch_s)
        if stretch > self._stretch:
            self._close_stretch(start.time + stretch * self._config.stretch_s, last=False)
            self._stretch = stretch
        after_start = time - start.time >= start.reach + margin
        before_end = end is None or end.time - time >= end.reach + margin
        contender = _Best(candidate, clear_of_cuts=after_start and before_end)
        if self._best is None or contender.rank() > self._best.rank():
            self._best = contender

    def _close_stretch(self, end: float, *, last: bool) -> None:
        start = self._chosen[-1].end if self._chosen else self._scene_start.time
        if last and self._chosen and end - start < self._config.stretch_s / 2:
            # A short rest joins the stretch before it, whose picture stands for both.
            self._chosen[-1] = dataclasses.replace(self._chosen[-1], end=round(end, 3))
        elif self._best is not None:
            self._chosen.append(self._keep(self._best.candidate, start=start, end=end))
        self._best = None

    def _keep(self, candidate: Candidate, *, start: float, end: float) -> KeyFrame:
        rgb = candidate.frame.as_rgb(short_side=self._config.short_side)
        luma = candidate.frame.as_luma(short_side=self._config.short_side)
        return KeyFrame(
            file=self._store(_jpeg(rgb, quality=self._config.jpeg_quality), candidate.frame.time),
            time=round(candidate.frame.time, 3),
            start=round(start, 3),
            end=round(end, 3),
            width=rgb.shape[1],
            height=rgb.shape[0],
            sharpness=round(candidate.sharpness, 2),
            brightness=round(candidate.brightness, 2),
            contrast=round(candidate.contrast, 2),
            motion=round(candidate.motion, 2),
            dhash=difference_hash(luma),
            thumbnail=thumbnail(rgb),
        )


def difference_hash(luma: Picture) -> str:
    """64 bits in hex: whether each of 8 x 8 cells is darker than the one to its right.

    Pictures that look alike differ in few bits. Source: N. Krawetz, "Kind of Like That", hackerfactor.com, 2013.
    """
    small = cv2.resize(luma, (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] < small[:, 1:]).tobytes().hex()


def thumbnail(rgb: Picture) -> str:
    """The picture in 16 x 9 pixels, whatever its shape, row by row, in base 64."""
    return base64.b64encode(cv2.resize(rgb, THUMBNAIL, interpolation=cv2.INTER_AREA).tobytes()).decode()


def _jpeg(rgb: Picture, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
