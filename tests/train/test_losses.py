"""Losses against values worked out by hand."""

import math

import pytest
import torch

from train.objectives.contrastive import same_caption
from train.objectives.losses import (
    bag_loss,
    bags,
    contrast_loss,
    inverse_document_frequency,
    normalised,
    patch_loss,
    piece_loss,
)


def test_piece_loss_is_the_mean_over_counted_slots_of_the_whole_batch() -> None:
    logits_RHV = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 9.0]]])
    tokens_RH = torch.tensor([[0, 0], [1, 0]])
    counted_RH = torch.tensor([[True, True], [True, False]])
    wanted = (math.log(2) + math.log(1 + math.exp(-2)) + math.log(2)) / 3
    assert piece_loss(logits_RHV, tokens_RH, counted_RH).item() == pytest.approx(wanted)


def test_piece_loss_of_nothing_is_nought() -> None:
    assert piece_loss(torch.ones(1, 1, 3), torch.tensor([[2]]), torch.tensor([[False]])).item() == 0


def test_patch_loss_is_the_mean_square() -> None:
    assert patch_loss(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 0.0]]])).item() == pytest.approx(2.5)


def test_a_normalised_patch_has_mean_0_and_variance_1_and_a_flat_one_stays_quiet() -> None:
    textured, flat = torch.randn(48) * 3 + 5, torch.full((48,), 5.0) + 1e-3 * torch.randn(48)
    result = normalised(torch.stack([textured, flat])[None])[0]
    assert result[0].mean().item() == pytest.approx(0, abs=1e-5)
    assert result[0].var().item() == pytest.approx(1, abs=1e-2)
    assert result[1].abs().max() < 0.1


def test_rare_words_weigh_more_and_words_in_every_caption_nothing() -> None:
    documents_V = torch.tensor([0.0, 100.0, 10.0, 1.0])
    idf_V = inverse_document_frequency(documents_V, captions=100, special=(0,))
    assert idf_V.tolist() == pytest.approx([0, 0, math.log(10), math.log(100)])


def test_a_bag_counts_each_piece_once_and_sums_to_one() -> None:
    tokens_RL, real_RL = torch.tensor([[1, 2, 2, 3, 3]]), torch.tensor([[True, True, True, True, False]])
    idf_V = torch.tensor([5.0, 0.0, 1.0, 3.0])
    assert bags(tokens_RL, real_RL, idf_V)[0].tolist() == pytest.approx([0, 0, 0.25, 0.75])


def test_bag_loss_passes_over_empty_bags() -> None:
    bags_RV = torch.tensor([[0.0, 0.25, 0.75], [0.0, 0.0, 0.0]])
    logits_RV = torch.zeros(2, 3)
    assert bag_loss(logits_RV, bags_RV).item() == pytest.approx(math.log(3))


def test_contrast_of_two_orthogonal_pairs() -> None:
    points = torch.eye(2)
    loss = contrast_loss(points, points, torch.tensor(2.0), torch.eye(2, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_contrast_is_not_rounded_where_the_model_is() -> None:
    generator = torch.Generator().manual_seed(0)
    images, texts = (torch.nn.functional.normalize(torch.randn(8, 16, generator=generator), dim=1) for _ in range(2))
    plain = contrast_loss(images, texts, torch.tensor(100.0), torch.eye(8, dtype=torch.bool))
    with torch.autocast("cpu", torch.bfloat16):
        same = contrast_loss(images, texts, torch.tensor(100.0), torch.eye(8, dtype=torch.bool))
    assert same.item() == plain.item()


def test_equal_captions_are_not_pushed_apart() -> None:
    tokens_BL = torch.tensor([[1, 2], [1, 2], [1, 3]])
    same_BB = same_caption(tokens_BL)
    assert same_BB.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    images = texts.clone().requires_grad_()
    loss = contrast_loss(images, texts, torch.tensor(30.0), same_BB)
    # With three images in two captions, no answer can do better than to share the chance between equal ones.
    assert loss.item() == pytest.approx(2 / 3 * math.log(2), abs=1e-4)
    (gradient,) = torch.autograd.grad(loss, images)
    assert gradient.abs().max() < 1e-4
