"""Losses against values worked out by hand."""

import math

import pytest
import torch

from train.objectives.contrastive import caption_numbers, similarity_logits
from train.objectives.losses import (
    bag_loss,
    bags,
    coarse,
    contrast_losses,
    inverse_document_frequency,
    normalised,
    patch_loss,
    piece_accuracy,
    piece_loss,
)


def test_piece_loss_is_the_mean_over_counted_pieces_of_the_whole_batch() -> None:
    logits_HV = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 9.0]])
    tokens_H = torch.tensor([0, 0, 1, 0])
    counted_H = torch.tensor([1.0, 1.0, 1.0, 0.0])
    wanted = (math.log(2) + math.log(1 + math.exp(-2)) + math.log(2)) / 3
    assert piece_loss(logits_HV, tokens_H, counted_H).item() == pytest.approx(wanted)


def test_piece_loss_of_nothing_is_nought() -> None:
    assert piece_loss(torch.ones(1, 3), torch.tensor([2]), torch.tensor([0.0])).item() == 0


def test_a_row_that_weighs_nothing_is_as_if_not_there() -> None:
    generator = torch.Generator().manual_seed(0)
    logits_RV, tokens_R = torch.randn(3, 5, generator=generator), torch.randint(5, (3,), generator=generator)
    patches_RMP, wanted_RMP = torch.randn(2, 3, 2, 4, generator=generator)
    bags_RV, some = torch.softmax(logits_RV, dim=1), torch.tensor([True, False, True])
    weights_R, half_R = some.float(), torch.full((3,), 0.5)
    for weights, rows in ((weights_R, some), (half_R, torch.ones(3, dtype=torch.bool))):
        for weighed, plain in (
            (
                piece_loss(logits_RV, tokens_R, weights),
                piece_loss(logits_RV[rows], tokens_R[rows], torch.ones(3)[rows]),
            ),
            (
                patch_loss(patches_RMP, wanted_RMP, weights_R=weights),
                patch_loss(patches_RMP[rows], wanted_RMP[rows]),
            ),
            (
                bag_loss(logits_RV + 1 / (1 + bags_RV), bags_RV, weights_R=weights),
                bag_loss((logits_RV + 1 / (1 + bags_RV))[rows], bags_RV[rows]),
            ),
        ):
            assert weighed.item() == pytest.approx(plain.item(), rel=1e-5)


def test_smoothing_spreads_what_is_wanted_over_the_vocabulary() -> None:
    logits_HV = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    logs = logits_HV[0].log_softmax(dim=0)
    wanted = -(0.9 * logs[0] + 0.1 * logs.mean()).item()
    assert piece_loss(logits_HV, torch.tensor([0]), torch.ones(1), smoothing=0.1).item() == pytest.approx(wanted)


def test_accuracy_is_the_share_of_counted_slots_guessed() -> None:
    logits_HV = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    tokens_H = torch.tensor([0, 0, 2, 1])
    assert piece_accuracy(logits_HV, tokens_H, torch.tensor([1.0, 1.0, 1.0, 0.0])).item() == pytest.approx(2 / 3)


def test_patch_loss_is_the_mean_square() -> None:
    assert patch_loss(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 0.0]]])).item() == pytest.approx(2.5)


def test_a_normalised_patch_has_mean_0_and_variance_1_and_a_flat_one_stays_quiet() -> None:
    textured, flat = torch.randn(48) * 3 + 5, torch.full((48,), 5.0) + 1e-3 * torch.randn(48)
    result = normalised(torch.stack([textured, flat])[None])[0]
    assert result[0].mean().item() == pytest.approx(0, abs=1e-5)
    assert result[0].var().item() == pytest.approx(1, abs=1e-2)
    assert result[1].abs().max() < 0.1


def test_a_coarse_patch_keeps_the_colour_of_each_of_its_cells() -> None:
    pixels = torch.randn(1, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    result = coarse(pixels.reshape(1, 1, -1)).reshape(8, 8, 3)
    cell = pixels[0, 2:4, 4:6].mean(dim=(0, 1))  # second from above, third from the left, of four by four
    assert torch.allclose(result[2:4, 4:6], cell.expand(2, 2, 3), atol=1e-6)
    assert torch.allclose(coarse(result.reshape(1, 1, -1)), result.reshape(1, 1, -1), atol=1e-6)


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


def symmetric(images: torch.Tensor, texts: torch.Tensor, right: torch.Tensor, scale: float) -> torch.Tensor:
    both = [similarity_logits(a, b, torch.tensor(scale), None) for a, b in ((images, texts), (texts, images))]
    return torch.stack([contrast_losses(logits_BG, right).mean() for logits_BG in both]).mean()


def test_contrast_of_two_orthogonal_pairs() -> None:
    loss = symmetric(torch.eye(2), torch.eye(2), torch.eye(2, dtype=torch.bool), 2.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_contrast_is_not_rounded_where_the_model_is() -> None:
    generator = torch.Generator().manual_seed(0)
    images, texts = (torch.nn.functional.normalize(torch.randn(8, 16, generator=generator), dim=1) for _ in range(2))
    plain = symmetric(images, texts, torch.eye(8, dtype=torch.bool), 100.0)
    with torch.autocast("cpu", torch.bfloat16):
        same = symmetric(images, texts, torch.eye(8, dtype=torch.bool), 100.0)
    assert same.item() == plain.item()


def test_equal_captions_are_not_pushed_apart() -> None:
    right_BG = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    images = texts.clone().requires_grad_()
    loss = symmetric(images, texts, right_BG, 30.0)
    # With three images in two captions, no answer can do better than to share the chance between equal ones.
    assert loss.item() == pytest.approx(2 / 3 * math.log(2), abs=1e-4)
    (gradient,) = torch.autograd.grad(loss, images)
    assert gradient.abs().max() < 1e-4


def test_candidates_that_are_passed_over_are_not_pushed_away() -> None:
    logits_BG = torch.tensor([[1.0, 5.0, 0.0]], requires_grad=True)
    right_BG, passed_BG = torch.tensor([[True, False, False]]), torch.tensor([[False, True, False]])
    loss = contrast_losses(logits_BG.masked_fill(passed_BG, -math.inf), right_BG)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)))
    (gradient_BG,) = torch.autograd.grad(loss, logits_BG)
    assert gradient_BG[0, 1] == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_row_without_wrong_answers_has_nothing_to_learn(smoothing: float) -> None:
    logits_BG = torch.tensor([[1.0, 5.0], [2.0, 3.0]], requires_grad=True)
    right_BG = torch.tensor([[True, False], [True, True]])
    passed_BG = torch.tensor([[False, True], [False, False]])
    losses_B = contrast_losses(logits_BG.masked_fill(passed_BG, -math.inf), right_BG, smoothing=smoothing)
    assert losses_B.tolist() == [0, 0]
    (gradient_BG,) = torch.autograd.grad(losses_B.sum(), logits_BG)
    assert not gradient_BG.any()


def test_smoothing_of_the_contrast_is_spread_over_the_candidates() -> None:
    logits_BG = torch.tensor([[2.0, 0.0, -math.inf]])
    logs = logits_BG[0, :2].log_softmax(dim=0)
    loss = contrast_losses(logits_BG, torch.tensor([[True, False, False]]), smoothing=0.2)
    assert loss.item() == pytest.approx(-(0.9 * logs[0] + 0.1 * logs[1]).item())


def test_equal_captions_have_equal_numbers_and_others_do_not() -> None:
    tokens_BL = torch.tensor([[1, 2, 0], [1, 2, 0], [1, 2, 3], [2, 1, 0], [0, 1, 2]])
    numbers = caption_numbers(tokens_BL).tolist()
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4
    random_BL = torch.randint(30_000, (3000, 40), generator=torch.Generator().manual_seed(0))
    assert len(set(caption_numbers(random_BL).tolist())) == 3000
