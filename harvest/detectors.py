"""What finds cuts: the seam, and a table of what stands behind it."""

from typing import ClassVar, Protocol

from harvest.cuts import CutConfig, CutDetector
from harvest.glimpses import Cut
from harvest.media.frames import Frame, Picture
from harvest.transnet import TransNetDetector


class Detector(Protocol):
    """Finds the cuts of one video, frame by frame, and tells them in the order of time, a little later."""

    name: ClassVar[str]

    def __init__(self, config: CutConfig) -> None: ...

    @property
    def settled_until(self) -> float:
        """The time up to which it is known of all frames whether a cut is near."""
        ...

    def feed(self, frame: Frame, bgr: Picture) -> list[Cut]:
        """The cuts that are known with this frame. `bgr` is its picture, scaled down."""
        ...

    def finish(self) -> list[Cut]:
        """What is left when the video is over."""
        ...


DETECTORS: dict[str, type[Detector]] = {"adaptive": CutDetector, "transnetv2": TransNetDetector}
"""By the names of `CutConfig.detector`."""
