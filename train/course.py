"""Whether the loss still goes the right way: what tells a run that has diverged from one that merely stutters."""

from dataclasses import dataclass

SMOOTHING = 0.9  # share of the old that the smoothed loss keeps from log line to log line


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The loss so far, smoothed over the log lines. Numbers alone, for the checkpoint's JSON."""

    first: float | None = None
    smooth: float | None = None
    lowest: float | None = None

    def after(self, loss: float) -> "Course":
        if self.first is None or self.smooth is None or self.lowest is None:
            return Course(first=loss, smooth=loss, lowest=loss)
        smooth = SMOOTHING * self.smooth + (1 - SMOOTHING) * loss
        return Course(first=self.first, smooth=smooth, lowest=min(self.lowest, smooth))

    def diverged(self, *, times: float) -> bool:
        """Whether the smoothed loss is above where it began and above `times` its lowest; `times` 0 is never.

        Both, as a loss that has fallen to nearly nothing may well double, and the first steps go up and down.
        """
        if self.first is None or self.smooth is None or self.lowest is None or not times:
            return False
        return self.smooth > max(self.first, times * self.lowest)
