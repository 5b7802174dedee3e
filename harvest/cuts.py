"""Where one shot ends and the next begins: PySceneDetect's detectors, fed frame by frame.

AdaptiveDetector finds hard cuts; its settings are the best of its authors' own sweep over three public sets
(PySceneDetect, benchmark/README.md: threshold 3.5, window 3, 0.6 s). It misses fades through black, for which
ThresholdDetector stands beside it.
"""

from pydantic import Field
from scenedetect import FrameTimecode
from scenedetect.common import Timecode
from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

from configs import Config
from harvest.media.frames import Frame, Picture


class CutConfig(Config):
    """How cuts are found."""

    threshold: float = Field(default=3.5, gt=0)  # how far a frame's change stands out of its neighbours'
    window: int = Field(default=3, ge=1)  # frames on each side that count as neighbours
    min_change: float = Field(
        default=15.0, ge=0
    )  # mean change in hue, saturation and luma (0..255) below which nothing is a cut
    min_scene_s: float = Field(default=0.6, ge=0)
    black_level: float = Field(
        default=4.0, ge=0
    )  # mean brightness below which a picture has faded out; 0: ignore fades
    width: int = Field(default=256, ge=16)  # pixels, of the pictures that are compared


class CutDetector:
    """Finds the cuts of one video, in the order of time."""

    name = "adaptive+fade"

    def __init__(self, config: CutConfig) -> None:
        self._min_scene_s = config.min_scene_s
        self._detectors = [
            AdaptiveDetector(
                adaptive_threshold=config.threshold,
                window_width=config.window,
                min_content_val=config.min_change,
                min_scene_len=config.min_scene_s,
            ),
            ThresholdDetector(threshold=config.black_level, min_scene_len=config.min_scene_s),
        ]
        self._last_cut = 0.0

    @property
    def delay(self) -> int:
        """How many frames may pass before a hard cut is known."""
        return max(int(detector.event_buffer_length) for detector in self._detectors)

    def feed(self, frame: Frame, bgr: Picture) -> list[float]:
        """The cuts that became known with this frame, in seconds; each is the time of a scene's first frame.

        `bgr` is the frame's picture, scaled down. A fade is cut in the middle of its darkness, so that cut may
        lie well before the frame.
        """
        start = frame.time - float(frame.pts * frame.time_base)
        timecode = FrameTimecode(Timecode(pts=frame.pts, time_base=frame.time_base), fps=frame.rate)
        found = [cut for detector in self._detectors for cut in detector.process_frame(timecode, bgr)]
        return [cut for cut in sorted(start + float(cut.seconds) for cut in found) if self._is_new(cut)]

    def _is_new(self, cut: float) -> bool:
        if cut - self._last_cut < self._min_scene_s:
            return False
        self._last_cut = cut
        return True
