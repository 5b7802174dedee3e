"""Which pieces of captions are hidden: any of them, or whole words.

Slot 0 is [CLS] and is never hidden, nor is padding. Knows nothing of modes or images.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PADDING, CLS = 2.0, 3.0  # instead of noise, which is below 1: what is ranked by it comes last


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenPieces:
    """Where the pieces to be guessed stand: they alone reach the vocabulary's head, which is wide."""

    slots_H: Tensor  # row * L + slot
    rows_H: Tensor  # in the mode
    counted_H: Tensor  # bool; False at the padding that makes them as many in every batch

    @classmethod
    def at(cls, wanted_RL: Tensor, *, room: int) -> "HiddenPieces":
        """The first `room` of those where `wanted_RL` is True."""
        found = wanted_RL.flatten().nonzero().squeeze(1)[:room]
        slots_H = functional.pad(found, (0, room - len(found)))
        return cls(slots_H=slots_H, rows_H=slots_H // wanted_RL.shape[1], counted_H=torch.arange(room) < len(found))

    def to(self, device: torch.device) -> "HiddenPieces":
        return HiddenPieces(
            slots_H=self.slots_H.to(device, non_blocking=True),
            rows_H=self.rows_H.to(device, non_blocking=True),
            counted_H=self.counted_H.to(device, non_blocking=True),
        )


def hide_pieces(real_RL: Tensor, wanted_R: Tensor, *, at_least: int, generator: torch.Generator) -> Tensor:
    """hidden_RL: as many pieces of each row as is nearest to `wanted_R`, each as likely as any other."""
    wanted_R = wanted_R.round().clamp(min=at_least)
    noise_RL = _last(torch.rand(real_RL.shape, generator=generator), real_RL)
    rank_RL = noise_RL.argsort(dim=1).argsort(dim=1)
    return (rank_RL < wanted_R[:, None]) & (noise_RL < PADDING)


def hide_words(
    real_RL: Tensor, begins_RL: Tensor, wanted_R: Tensor, *, at_least: int, generator: torch.Generator
) -> Tensor:
    """hidden_RL: whole words in random order, until as many pieces are hidden as is nearest to `wanted_R`.

    A piece of a hidden word cannot be guessed from the word's other pieces (whole-word masking: BERT's release of
    May 2019; for ViLT, arXiv:2102.03334, section 3.3). Of the words that are tried, the first is hidden where
    `at_least` is above 0, however long it is.
    """
    noise_RL = torch.rand(real_RL.shape, generator=generator)
    counted_RL = real_RL.clone()
    counted_RL[:, 0] = False
    word_RL = (begins_RL & counted_RL).cumsum(dim=1) * counted_RL
    noise_RL = _last(noise_RL.gather(1, word_RL), real_RL)  # one number for all pieces of a word
    rank_RL = noise_RL.argsort(dim=1, stable=True).argsort(dim=1)  # so that a word's pieces follow each other

    size_RL = torch.zeros_like(word_RL).scatter_add(1, word_RL, counted_RL.long()).gather(1, word_RL)
    before_RL = torch.full_like(rank_RL, rank_RL.shape[1]).scatter_reduce(1, word_RL, rank_RL, reduce="amin")
    before_RL = before_RL.gather(1, word_RL)  # pieces of the words that are tried before this one
    nearer_RL = before_RL + size_RL / 2 <= wanted_R[:, None]  # with the word than without it
    if at_least:
        nearer_RL |= before_RL == 0
    return nearer_RL & counted_RL


def _last(noise_RL: Tensor, real_RL: Tensor) -> Tensor:
    """Ranked by this, padding and [CLS] come last."""
    noise_RL = noise_RL.masked_fill(~real_RL, PADDING)
    noise_RL[:, 0] = CLS
    return noise_RL
