"""Patterns with braces, as webdataset takes them: `{00000..00331}`, `{a,b{1..3}}`.

What a pattern stands for is counted before any of it is made, for a slip of a finger may name more than memory holds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from train.errors import DataError

MAX_NAMES = 1_000_000
MAX_DEPTH = 20  # of braces in braces
_NUMBERS = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})(?:\.\.-?(\d{1,18}))?")
_TOO_LONG = re.compile(r"-?\d+\.\.-?\d+(?:\.\.-?\d+)?")
_LETTERS = re.compile(r"[A-Za-z]\.\.[A-Za-z](?:\.\.-?\d+)?")


def expanded(pattern: str) -> Iterator[str]:
    """The names that `pattern` stands for, in order. Raises DataError for more than MAX_NAMES, or unequal braces."""
    from braceexpand import braceexpand  # webdataset's own; of the extra `train`

    if count_names(pattern) > MAX_NAMES:
        raise DataError(
            f"{pattern:.200} stands for more than {MAX_NAMES:,} tars, which is surely more than there are: "
            "see whether a number in it has a digit too many."
        )
    return iter(braceexpand(pattern))


@dataclass(slots=True)
class _Open:
    """A brace that is open."""

    start: int  # of what is in it
    alternatives: int = 0  # names of those that a comma has ended
    names: int = 1  # of the alternative that is being read


def count_names(pattern: str) -> int:
    """How many names `pattern` stands for, none of which is made. Raises DataError where braces are not in pairs."""
    outside = _Open(start=0)
    inside: list[_Open] = []
    place = 0
    while place < len(pattern):
        sign, within = pattern[place], inside[-1] if inside else outside
        if sign == "\\":
            place += 1  # the next one means itself
        elif sign == "{":
            inside.append(_Open(start=place + 1))
            if len(inside) > MAX_DEPTH:
                raise DataError(f"{pattern:.200} has braces in braces over {MAX_DEPTH} deep: write it more plainly.")
        elif sign == "," and inside:
            within.alternatives, within.names = within.alternatives + within.names, 1
        elif sign == "}":
            if not inside:
                raise _unequal(pattern)
            inside.pop()
            (inside[-1] if inside else outside).names *= _names_of(within, pattern[within.start : place])
        place += 1
    if inside:
        raise _unequal(pattern)
    return outside.names


def _names_of(closed: _Open, content: str) -> int:
    if found := _NUMBERS.fullmatch(content):
        first, last, step = int(found[1]), int(found[2]), int(found[3] or 1) or 1
        return abs(last - first) // step + 1
    if _TOO_LONG.fullmatch(content):
        return MAX_NAMES + 1
    if _LETTERS.fullmatch(content):
        return 52  # at most
    return closed.alternatives + closed.names


def _unequal(pattern: str) -> DataError:
    return DataError(
        f"{pattern:.200} has braces that are not in pairs: close each one, or write \\{{ for a brace itself."
    )
