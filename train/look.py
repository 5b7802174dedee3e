"""Something a run shows of itself on the way: scores on held-out pairs, a picture of what it hides and rebuilds."""

from collections.abc import Callable
from dataclasses import dataclass

from train.metrics import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is shown, and when."""

    show: Callable[[int, Sink], None]  # of the step, with the weights that the model then has
    every: int  # steps; after the last one it is shown, too
    seen: int  # the step at which it was last shown before this process began; 0 if never

    def is_due(self, step: int, *, last: bool) -> bool:
        return is_due(step, every=self.every, seen=self.seen, last=last)


def is_due(step: int, *, every: int, seen: int, last: bool) -> bool:
    """A run that was stopped between saving and showing is thus shown when it goes on."""
    return step > seen and (last or step % every == 0)
