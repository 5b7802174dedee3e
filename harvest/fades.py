"""Fades through black, by the brightness of the frames."""

from harvest.glimpses import Cut, Glimpse

BRIEF_S = 1.0  # darkness that is shorter is a change of scene; a longer one is a scene of its own
RAMP_S = 0.3  # beside the darkness, in which a picture is not yet, or no longer, clear


class FadeFinder:
    """Finds the dark stretches of one video; a cut is known at most BRIEF_S after it."""

    def __init__(self, black_level: float) -> None:
        """Frames are dark whose mean brightness (0..255) is below `black_level`."""
        self._black_level = black_level
        self._dark_since: float | None = None
        self._is_long = False

    def feed(self, glimpse: Glimpse) -> list[Cut]:
        """The cuts that became known with this frame."""
        if glimpse.brightness < self._black_level:
            return self._dark(glimpse.time)
        if self._dark_since is None:
            return []
        start, self._dark_since = self._dark_since, None
        if self._is_long:
            return [Cut(time=glimpse.time, reach=RAMP_S)]
        if start == 0.0:
            return []  # the video begins so
        return [Cut(time=(start + glimpse.time) / 2, reach=(glimpse.time - start) / 2 + RAMP_S)]

    def _dark(self, time: float) -> list[Cut]:
        if self._dark_since is None:
            self._dark_since, self._is_long = time, False
        if self._is_long or time - self._dark_since <= BRIEF_S:
            return []
        self._is_long = True
        return [Cut(time=self._dark_since, reach=RAMP_S)] if self._dark_since else []
