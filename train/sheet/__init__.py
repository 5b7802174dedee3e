"""The picture sheet of a run: what a model makes of the same few samples, step after step. `page(guesses(...))`."""

from train.sheet.guesses import guesses
from train.sheet.page import page
from train.sheet.records import Guess, Piece, Word

__all__ = ["Guess", "Piece", "Word", "guesses", "page"]
