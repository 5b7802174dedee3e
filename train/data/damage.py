"""What cannot be read: it ends the reading, or is noted while other samples take its place.

An evaluation counts every sample once, so there it is left out and nothing takes its place. Which samples do in
training is decided by the order of the epoch alone, not by who reads: the next sound ones of the same group. Batches,
positions and a resumed run therefore stay what they are, whatever the number of processes.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from train.distributed import Place

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A shard or a sample that gives nothing."""

    name: str
    error: Exception  # its message is the sentence to show
    samples: int


OnDamage = Callable[[Damage], None]


def refuse(damage: Damage) -> None:
    """Raises the error."""
    raise damage.error


class DamageLog:
    """Tells of each damage once, and how many samples of all that this process reads cannot be used."""

    def __init__(self, *, consequence: str, place: Place) -> None:
        """`consequence` is what becomes of %d samples."""
        self._consequence = consequence
        self._by = f" by process {place.rank}" if place.world > 1 else ""
        self._met: dict[str, int] = {}

    def tell(self, damages: Iterable[Damage]) -> None:
        for damage in damages:
            if damage.name not in self._met:
                self._met[damage.name] = damage.samples
                logger.warning(
                    f"%s {self._consequence}, %d so far%s (data.corrupt=skip).",
                    damage.error,
                    damage.samples,
                    sum(self._met.values()),
                    self._by,
                )
