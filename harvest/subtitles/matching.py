"""Which written word is which heard one: the smallest edit distance, among words said and shown at about one time.

Levenshtein's distance by Wagner and Fischer's table, of which only a band is filled: a written word meets the heard
ones within REACH_S seconds. So the work grows with the length of a video and not with its square, and a text that
is shifted in time or of another film agrees with little.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

from harvest.subtitles.words import Token

REACH_S = 5.0  # subtitles come early by a second or two, stay longer, and share their time out by length alone
_BOTH, _WRITTEN, _HEARD = 0, 1, 2  # the last step to a field of the table: a pair, or a word that stands alone


def match(written: Sequence[Token], heard: Sequence[Token]) -> list[tuple[int, int]]:
    """Pairs of places in both, ascending: words that are the same, or stand for each other between such."""
    if not written or not heard:
        return []
    bands = [*_bands(written, heard)]
    steps = _fill(bands, [token.plain for token in written], [token.plain for token in heard])
    return _walk_back(bands, steps)


def _bands(written: Sequence[Token], heard: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """For each row of the table, 0 included, the first and last column that is filled.

    Each begins no later than the one before ends, so that a way through always exists; where nothing is written
    for long, that makes one row wide.
    """
    first, last = 0, 0
    yield 0, 0
    for place, token in enumerate(written):
        while first < len(heard) and heard[first].centre < token.centre - REACH_S:
            first += 1
        begin, reach = min(first, last), max(last, first)
        while reach < len(heard) and heard[reach].centre <= token.centre + REACH_S:
            reach += 1
        last = len(heard) if place == len(written) - 1 else reach
        yield begin, last


def _fill(bands: Sequence[tuple[int, int]], written: Sequence[str], heard: Sequence[str]) -> list[bytearray]:
    costs = [0.0]
    steps = [bytearray([_HEARD])]
    for row, ((before, before_last), (first, last)) in enumerate(itertools.pairwise(bands), start=1):
        above = [*costs, *[math.inf] * (last - before_last)]  # columns that the row above does not have
        costs, taken = [], bytearray()
        word = written[row - 1]
        left = math.inf
        for column in range(first, last + 1):
            place = column - before
            best, step = above[place] + 1, _WRITTEN
            if place:
                # 2 for words that differ would be two that stand alone; 1.5 prefers to let them stand for each other
                paired = above[place - 1] + (0 if word == heard[column - 1] else 1.5)
                if paired <= best:
                    best, step = paired, _BOTH
            if left + 1 < best:
                best, step = left + 1, _HEARD
            left = best
            costs.append(best)
            taken.append(step)
        steps.append(taken)
    return steps


def _walk_back(bands: Sequence[tuple[int, int]], steps: Sequence[bytearray]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    row, column = len(bands) - 1, bands[-1][1]
    while row > 0:
        step = steps[row][column - bands[row][0]]
        if step == _BOTH:
            pairs.append((row - 1, column - 1))
        row -= step != _HEARD
        column -= step != _WRITTEN
    return pairs[::-1]
