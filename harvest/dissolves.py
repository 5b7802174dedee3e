"""Dissolves: one picture blends into another.

In the middle of a dissolve a frame is a weighted mean of what was shown shortly before and what is shown shortly after,
    M = (1 - a) A + a B,    a = (M - A)·(B - A) / |B - A|²,
and A and B differ far more from each other than each from what lies beyond it. Neither holds when a camera or a thing
moves. The linear blend is the model of R. Lienhart, "Comparison of automatic shot boundary detection algorithms", SPIE
3656 (1999).
"""

import numpy as np

from harvest.glimpses import Cut, Glimpse, Glimpses

WINDOWS_S = (0.8, 1.6)  # between A and B
LOOKAHEAD_S = max(WINDOWS_S)  # seconds after a frame that must be known to judge it
GAP_S = 0.25  # a longer pause between frames in a blend separates two dissolves
# Thresholds that found 23 of 24 dissolves of the made films and none where there is none, with room on both sides.
LEAST_DIFFERENCE = 12.0  # mean absolute, of A and B, 0..255
MOST_RESIDUAL = 0.2  # share of the difference that the blend leaves unexplained
LEAST_STANDOUT = 2.0  # times that A and B differ more than the pictures beside them do
SHARES = (0.25, 0.75)  # of a, within which a frame is in the blend
LEAST_S = 0.2  # for which frames must be so
DARK = 8.0  # mean brightness of A or B below which it is a fade


class DissolveFinder:
    """Finds the dissolves of one video; a cut is known about LOOKAHEAD_S + GAP_S after its end."""

    def __init__(self, glimpses: Glimpses) -> None:
        self._glimpses = glimpses
        self._judged = 0.0  # the time up to which frames were
        self._blended: list[float] = []  # times of the frames of the dissolve that may be going on

    def feed(self, now: float) -> list[Cut]:
        """The cuts that became known with the frame of time `now`."""
        cuts = []
        for glimpse in self._glimpses.between(np.nextafter(self._judged, np.inf), now - LOOKAHEAD_S):
            self._judged = glimpse.time
            if self._blended and glimpse.time - self._blended[-1] > GAP_S:
                cuts += self.finish()
            if any(self._is_blend(glimpse, window_s) for window_s in WINDOWS_S):
                self._blended.append(glimpse.time)
        return cuts

    def finish(self) -> list[Cut]:
        """The one that is going on, if it is one."""
        times, self._blended = self._blended, []
        if not times or times[-1] - times[0] < LEAST_S:
            return []
        # Frames count from a quarter to three quarters of the blend: half of it lies on either side of them together.
        return [Cut(time=(times[0] + times[-1]) / 2, reach=times[-1] - times[0])]

    def _is_blend(self, glimpse: Glimpse, window_s: float) -> bool:
        time, half = glimpse.time, window_s / 2
        if time - window_s < self._glimpses.oldest:
            return False
        moments = (self._glimpses.first_from(time + shift) for shift in (-window_s, -half, half, window_s))
        seen = [moment for moment in moments if moment is not None]
        if len(seen) < 4:
            return False
        before, one, other, after = (moment.grid for moment in seen)
        distance = float(np.abs(other - one).mean())
        if distance < LEAST_DIFFERENCE or min(seen[1].brightness, seen[2].brightness) < DARK:
            return False
        if distance < LEAST_STANDOUT * max(float(np.abs(one - before).mean()), float(np.abs(after - other).mean())):
            return False
        way = other - one
        share = float((glimpse.grid - one) @ way / (way @ way))
        residual = float(np.abs(glimpse.grid - one - share * way).mean())
        return SHARES[0] < share < SHARES[1] and residual < MOST_RESIDUAL * distance
