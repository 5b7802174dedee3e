"""With its text hidden, nothing of a caption is seen: neither its pieces nor how many they are."""

from dataclasses import replace

import torch
from torch import Tensor

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.evaluation.base import Subject
from train.evaluation.gallery import Gallery
from train.evaluation.routes import fullmask
from train.models.vilt import Vilt
from train.objectives.config import learnt
from train.objectives.masked import MaskedConfig, MaskedModeling
from train.objectives.masks import ModeShares
from train.rows import Rows

ONLY_HIDDEN = MaskedConfig(shares=ModeShares(joint=0, text_hidden=1, image_hidden=0, unpaired=0))


def cut(batch: Batch, tokenizer: Tokenizer, *, slots: int) -> Batch:
    """The captions' first pieces, and padding after them."""
    real_BL = batch.real_BL & (torch.arange(batch.real_BL.shape[1]) < slots)
    return replace(batch, tokens_BL=batch.tokens_BL.where(real_BL, tokenizer.pad), real_BL=real_BL)


def what_enters(model: Vilt) -> list[tuple[Tensor, object]]:
    """Filled with the slots that enter the encoder, and which of them it passes over."""
    seen: list[tuple[Tensor, object]] = []
    model.blocks.register_forward_pre_hook(lambda _module, inputs: seen.append((inputs[0], inputs[1])))
    return seen


def test_in_training_the_same_enters_the_encoder_whatever_the_caption(
    model: Vilt, batch: Batch, tokenizer: Tokenizer
) -> None:
    objective = MaskedModeling(ONLY_HIDDEN, mask_token=tokenizer.mask, patches=model.patches)
    seen = what_enters(model)
    for slots in (2, 5, 14):
        each = cut(batch, tokenizer, slots=slots)
        objective(model, each, objective.draw(each, torch.Generator().manual_seed(0)))
    (first, attended), *others = seen
    assert attended is None  # padding is neither left out
    assert len(others) == 2
    assert all(torch.equal(first, other) and none is None for other, none in others)


@torch.no_grad()
def test_a_score_does_not_hang_on_how_long_any_caption_is(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    subject = Subject(tokenizer=tokenizer, learnt=learnt(config.objective, Rows(pairs=16)))
    seen = what_enters(model)
    gallery = Gallery.collect([batch])
    first = fullmask(model, gallery, subject)
    shorter = Gallery.collect([cut(batch, tokenizer, slots=4)])
    # Half of the captions are cut: their own scores change, no others.
    rows_Q1 = torch.arange(len(gallery.captions))[:, None] % 2 == 0
    mixed = replace(
        gallery,
        tokens_QL=gallery.tokens_QL.where(rows_Q1, shorter.tokens_QL),
        real_QL=gallery.real_QL.where(rows_Q1, shorter.real_QL),
    )
    again = fullmask(model, mixed, subject)
    assert torch.equal(first[::2], again[::2])
    assert not torch.equal(first[1::2], again[1::2])
    assert torch.equal(seen[0][0], seen[1][0])
    assert seen[0][1] is seen[1][1] is None


@torch.no_grad()
def test_padding_scores_nothing(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer) -> None:
    """A caption without pieces agrees with no image better than with another; pieces in padding are not read."""
    subject = Subject(tokenizer=tokenizer, learnt=learnt(config.objective, Rows(pairs=16)))
    gallery = Gallery.collect([batch])
    empty = Gallery.collect([cut(batch, tokenizer, slots=1)])
    assert fullmask(model, empty, subject).abs().max() < 1e-5
    shorter = Gallery.collect([cut(batch, tokenizer, slots=4)])
    unclean = replace(shorter, tokens_QL=gallery.tokens_QL)  # what was cut still stands behind
    assert torch.equal(fullmask(model, shorter, subject), fullmask(model, unclean, subject))
