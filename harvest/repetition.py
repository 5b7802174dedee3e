"""How much a text repeats itself, which a recogniser that is caught in a loop does more than people do.

the red. the red. the red. the red.    in a row: 4    unique share: 2 / 8
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

LONGEST_PHRASE = 10  # words of a phrase that is looked for in a row
GRAM = 10  # words; NeMo Curator's rule against loops counts these


def spoken_forms(words: Sequence[str]) -> list[str]:
    """The words without case and punctuation; what is nothing else is left out."""
    forms = (re.sub(r"\W", "", word).lower() for word in words)
    return [form for form in forms if form]


def most_in_a_row(forms: Sequence[str]) -> int:
    """How often a phrase of 1 to 10 words is said again and again, without a word between: at most."""
    return max((_in_a_row(forms, length) for length in range(1, LONGEST_PHRASE + 1)), default=0) if forms else 0


def most_repeated(forms: Sequence[str]) -> int:
    """How often the commonest sequence of ten words comes, anywhere in the text."""
    grams = Counter(zip(*(forms[place:] for place in range(GRAM)), strict=False))
    return max(grams.values(), default=0)


def unique_share(forms: Sequence[str]) -> float:
    """Different words, as a share of all; 1 without words."""
    return len(set(forms)) / len(forms) if forms else 1.0


def _in_a_row(forms: Sequence[str], length: int) -> int:
    """A word that equals the one `length` before continues a row; a row of n such holds n // length repeats."""
    same = (one == before for one, before in zip(forms[length:], forms, strict=False))
    longest = max((len([*run]) for equal, run in groupby(same) if equal), default=0)
    return longest // length + 1
