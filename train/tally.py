"""What the steps since the last log line were like: summed on the device, which nothing here waits for until asked."""

from dataclasses import dataclass

import torch

from train.course import Stretch
from train.distributed import Company
from train.step import TOTAL, Learnt

NORM = "gradient_norm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The steps between two log lines, over all processes."""

    steps: int
    losses: Stretch
    means: dict[str, float]  # of what was a number; what never was one is missing
    broken: tuple[str, ...]  # the names of what was not always a number
    skipped: int  # steps that were passed over, as their gradient was no number
    most_in_a_row: int  # of these; a row that is not over counts as far as it goes
    replaced: int  # rows whose own sample could not be read, so that another stood in


class Tally:
    """Counts the steps of one process."""

    def __init__(self, device: torch.device) -> None:
        self._nothing = torch.zeros((), dtype=torch.float64, device=device)
        self._in_a_row = self._nothing
        self._begin()

    def _begin(self) -> None:
        self.steps = 0
        self._replaced = 0
        self._names: tuple[str, ...] = ()
        self._sums = self._counts = self._skipped = self._most_in_a_row = self._nothing

    def add(self, learnt: Learnt, *, replaced: int) -> None:
        """One step more. float32 numbers sum in float64 without loss."""
        values = learnt.values | {NORM: learnt.gradient_norm}
        found = torch.stack([*values.values()]).double()
        finite = found.isfinite()
        skipped = (~learnt.gradient_norm.isfinite()).double()
        self.steps += 1
        self._replaced += replaced
        self._names = (*values,)
        self._sums = self._sums + torch.where(finite, found, 0.0)
        self._counts = self._counts + finite
        self._skipped = self._skipped + skipped
        self._in_a_row = (self._in_a_row + 1) * skipped
        self._most_in_a_row = torch.maximum(self._most_in_a_row, self._in_a_row)

    def interval(self, company: Company) -> Interval:
        """Of the steps since it was last asked; all processes must ask at the same point, after a step at least."""
        others = torch.stack([self._skipped, self._most_in_a_row, self._nothing + self._replaced])
        figures = torch.cat([self._sums, self._counts, others])
        *values, skipped, most_in_a_row, replaced = company.mean(figures.cpu()).tolist()
        sums, counts = values[: len(self._names)], values[len(self._names) :]
        loss = self._names.index(TOTAL)
        named = [*zip(self._names, sums, counts, strict=True)]
        found = Interval(
            steps=self.steps,
            losses=Stretch(steps=self.steps, numbers=counts[loss], total=sums[loss]),
            means={name: total / count for name, total, count in named if count},
            broken=tuple(name for name, _, count in named if count < self.steps),
            skipped=round(skipped),
            most_in_a_row=round(most_in_a_row),
            replaced=round(replaced * company.place.world),
        )
        self._begin()
        return found
