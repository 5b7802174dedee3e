"""Whether the loss still goes the right way: what tells a run that has diverged from one that merely stutters."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from train.data.order import Count

UNREST = 0.5  # share of its start by which the loss may rise without any reason to worry
SMOOTHING = 0.9  # share of the old that the smoothed loss keeps from log line to log line


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Steps whose losses are judged as one. float32 losses sum in float64 without loss, however they are cut."""

    steps: Count = 0
    numbers: Annotated[float, Field(ge=0)] = 0.0  # of their losses; a mean over the processes
    total: float = 0.0  # of these numbers

    def with_next(self, other: "Stretch") -> "Stretch":
        return Stretch(
            steps=self.steps + other.steps, numbers=self.numbers + other.numbers, total=self.total + other.total
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The loss so far, smoothed over the log lines. Numbers alone, for the checkpoint's JSON."""

    first: float | None = None
    smooth: float | None = None
    lowest: float | None = None
    unjudged: Stretch = Stretch()  # since the last judgement, where a run was stopped between two

    def after(self, loss: float) -> "Course":
        if self.first is None or self.smooth is None or self.lowest is None:
            return Course(first=loss, smooth=loss, lowest=loss)
        smooth = SMOOTHING * self.smooth + (1 - SMOOTHING) * loss
        return Course(first=self.first, smooth=smooth, lowest=min(self.lowest, smooth))

    def diverged(self, *, share: float) -> bool:
        """Whether more than `share` of what the smoothed loss had fallen is lost again; a `share` of 0 is never.

        A loss that has fallen to nearly nothing may thus double, and one that rises above its start has diverged as
        soon as it is as far above as it had been below.
        """
        if self.first is None or self.smooth is None or self.lowest is None or not share:
            return False
        fallen = self.first - self.lowest
        return self.smooth - self.lowest > max(share * fallen, UNREST * self.first)
