"""What a micro batch holds: how many rows of each kind, and how many processes have one at the same time."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from train.data.order import Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Of each micro batch in each process. Numbers alone, for the checkpoint's JSON."""

    pairs: Count
    texts: Count = 0  # without an image
    images: Count = 0  # without a text
    processes: Annotated[Count, Field(ge=1)] = 1

    @property
    def lone(self) -> tuple[int, int]:
        return self.texts, self.images

    @property
    def compared(self) -> int:
        """Pairs whose images and texts are contrasted with each other: those of all processes."""
        return self.pairs * self.processes
