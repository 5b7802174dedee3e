"""Pieces of any tokenizer back to text, one by one."""

from collections.abc import Sequence

import tokenizers
from torch import Tensor

from train.data.tokenizer import Tokenizer
from train.sheet.records import Piece, Word

WORDS = 6  # guessed from an image


def pieces_with_guesses(
    truth: Sequence[int], hidden: Sequence[bool], guessed: Sequence[int], tokenizer: Tokenizer
) -> tuple[Piece, ...]:
    """A caption's pieces, without [CLS] and padding, with what was guessed where they were hidden."""
    decode = tokenizer.pieces
    return tuple(
        Piece(
            text=_added(decode, truth[:place], truth[place]),
            guess=_added(decode, truth[:place], guessed[place]) if hidden[place] else None,
            right=guessed[place] == truth[place],
        )
        for place in range(len(truth))
    )


def likeliest_words(bag_V: Tensor, caption: Sequence[int], tokenizer: Tokenizer) -> tuple[Word, ...]:
    """Of the logits of a bag of words the highest; special pieces left out."""
    shares_V = bag_V.float().softmax(dim=-1)
    shares_V[list(tokenizer.special)] = 0.0
    shares, ids = (found.tolist() for found in shares_V.topk(min(WORDS, len(shares_V))))
    return tuple(
        Word(text=_added(tokenizer.pieces, [], number).strip(), probability=share, right=number in caption)
        for share, number in zip(shares, ids, strict=True)
    )


def _added(pieces: tokenizers.Tokenizer, before: Sequence[int], number: int) -> str:
    """What a piece adds to the text before it: with a space if it begins a word, without WordPiece's ##."""
    text = pieces.decode([*before], skip_special_tokens=False) if before else ""
    longer = pieces.decode([*before, number], skip_special_tokens=False)
    # Bytes of half a letter, and what a tokenizer tidies up, may change the text before.
    whole = longer.startswith(text)
    added = longer.removeprefix(text) if whole else pieces.decode([number], skip_special_tokens=False)
    return "".join(sign if sign.isprintable() else " " for sign in added)
