"""One decode pass: cuts, scenes and, for each, its key frames as JPEG files.

media -> decode -> Detector -------cut times----.
              \\--> KeyFrameChooser <------------'--> Scene, frames/000012345.jpg
"""

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field

from configs import Config
from harvest.cuts import CutConfig
from harvest.detectors import DETECTORS
from harvest.folder import VideoFolder
from harvest.glimpses import Cut
from harvest.keyframes import KeyFrameChooser, KeyFrameConfig
from harvest.media.frames import decode
from harvest.records import Record, Scene, Scenes, Video
from harvest.stages.base import Resource, fingerprint
from harvest.stages.download import media_path

FRAMES_FOLDER = "frames"


class ScenesConfig(Config):
    """How a video is cut into scenes and which frames stand for them."""

    cuts: CutConfig = CutConfig()
    key_frames: KeyFrameConfig = KeyFrameConfig()
    timeout_s: float = Field(default=4 * 3600, gt=0)


class FindScenes:
    """Video -> Scenes."""

    name: ClassVar[str] = "scenes"
    record: ClassVar[type[Record]] = Scenes
    after: ClassVar[tuple[str, ...]] = ("download",)
    needs: ClassVar[Resource] = "cpu"
    version: ClassVar[int] = 4

    def __init__(self, config: ScenesConfig) -> None:
        self._config = config

    @property
    def timeout_s(self) -> float:
        return self._config.timeout_s

    def fingerprint(self, upstream: str) -> str:
        return fingerprint(self.version, self._config, upstream, ignore=frozenset({"timeout_s"}))

    def setup(self) -> None:
        """Load what the detector needs. Raises RequestError where it is not installed."""
        DETECTORS[self._config.cuts.detector](self._config.cuts)

    def run(self, folder: VideoFolder) -> Scenes:
        media = media_path(folder, folder.load(Video))
        with folder.replacing_subfolder(FRAMES_FOLDER, Scenes) as frames_folder:
            scenes = self._find(media, frames_folder)
        return Scenes(detector=DETECTORS[self._config.cuts.detector].name, scenes=tuple(scenes))

    def _find(self, media: Path, frames_folder: Path) -> list[Scene]:
        def store(jpeg: bytes, time: float) -> str:
            name = f"{round(time * 1000):09d}.jpg"
            (frames_folder / name).write_bytes(jpeg)
            return f"{FRAMES_FOLDER}/{name}"

        detector = DETECTORS[self._config.cuts.detector](self._config.cuts)
        chooser = KeyFrameChooser(self._config.key_frames, store=store)
        scenes = []
        end = 0.0
        size: tuple[int, int] | None = None
        for frame in decode(media):
            small = frame.as_bgr(max_width=self._config.cuts.width)
            size = size or (small.shape[1], small.shape[0])
            if (small.shape[1], small.shape[0]) != size:  # a stream may change its resolution half-way
                small = np.asarray(cv2.resize(small, size), dtype=np.uint8)
            scenes += [chooser.close_scene(cut) for cut in detector.feed(frame, small)]
            chooser.add(frame, small, settled_until=detector.settled_until)
            end = frame.time + float(1 / frame.rate)
        return scenes + [chooser.close_scene(cut) for cut in (*detector.finish(), Cut(time=end))]
