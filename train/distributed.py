"""Which of how many processes this one is. One process for now; what is sharded asks here and nowhere else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A process among those that train together."""

    rank: int = 0
    world: int = 1  # number of processes


ALONE = Place()
