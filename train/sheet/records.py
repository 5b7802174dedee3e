"""What a sheet shows of one pair."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (S, S, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a caption, with a space before it if it begins a word."""

    text: str
    guess: str | None = None  # what the model put in its place; None where it was not hidden
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Something that the caption of an image may hold."""

    text: str
    probability: float  # its share of the bag of words
    right: bool  # whether the caption holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A pair and what a model made of it. None for what it is not taught."""

    original: Pixels
    seen: Pixels  # hidden patches grey
    rebuilt: Pixels  # what was hidden from what was seen, with each original patch's mean and deviation
    caption: tuple[Piece, ...]  # what was hidden guessed from what was seen
    from_text: Pixels | None  # the image, rebuilt from the whole caption alone
    from_image: tuple[Word, ...] | None  # guessed from the whole image alone, likeliest first
