"""What cannot be read: it ends the training, or is noted while other samples take its place.

Which ones do is decided by the order of the epoch alone, not by who reads: the next sound samples of the same group.
Batches, positions and a resumed run therefore stay what they are, whatever the number of processes.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
    """Tells of each damage once, and how many samples there are in all that others stand in for."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def tell(self, damages: Iterable[Damage]) -> None:
        for damage in damages:
            if damage.name not in self._met:
                self._met[damage.name] = damage.samples
                logger.warning(
                    "%s Others take the place of %d samples, %d so far (data.corrupt=skip).",
                    damage.error,
                    damage.samples,
                    sum(self._met.values()),
                )
