"""How much of a truth was found again: cuts within a tolerance, words by edit distance."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.makers.timeline import Cut

TOLERANCE = 0.2  # seconds between a true cut and a found one


@dataclass(frozen=True, slots=True, kw_only=True)
class CutCount:
    hard: int = 0  # true cuts of a kind ...
    hard_found: int = 0
    soft: int = 0  # fades and dissolves
    soft_found: int = 0
    invented: int = 0  # found where there is none

    def __add__(self, other: "CutCount") -> "CutCount":
        return CutCount(
            hard=self.hard + other.hard,
            hard_found=self.hard_found + other.hard_found,
            soft=self.soft + other.soft,
            soft_found=self.soft_found + other.soft_found,
            invented=self.invented + other.invented,
        )

    @property
    def precision(self) -> float:
        right = self.hard_found + self.soft_found
        return right / max(1, right + self.invented)

    @property
    def recall(self) -> float:
        return (self.hard_found + self.soft_found) / max(1, self.hard + self.soft)


def count_cuts(true: Sequence[Cut], found: Sequence[float], *, tolerance: float = TOLERANCE) -> CutCount:
    """Each found time is credited to at most one true cut, the nearest pairs first."""
    near = sorted(
        (abs(cut.time - time), index, position)
        for index, cut in enumerate(true)
        for position, time in enumerate(found)
        if abs(cut.time - time) <= tolerance
    )
    matched: dict[int, int] = {}
    for _, index, position in near:
        if index not in matched and position not in matched.values():
            matched[index] = position
    hard = [index for index, cut in enumerate(true) if cut.entrance == "cut"]
    hard_found = sum(index in matched for index in hard)
    return CutCount(
        hard=len(hard),
        hard_found=hard_found,
        soft=len(true) - len(hard),
        soft_found=len(matched) - hard_found,
        invented=len(found) - len(matched),
    )


def words_of(text: str) -> list[str]:
    """Lower-case words without their punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def count_word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words to change, leave out or put in that make `said` of `heard`."""
    above = list(range(len(heard) + 1))
    for row, word in enumerate(said, start=1):
        current = [row]
        for column, other in enumerate(heard, start=1):
            current.append(min(above[column] + 1, current[-1] + 1, above[column - 1] + (word != other)))
        above = current
    return above[-1]
