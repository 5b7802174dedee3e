"""Matching: which negatives are drawn, and whether true pairs can be told from them."""

from dataclasses import replace

import pytest
import torch

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.embeddings import TextInput, whole_image
from train.models.vilt import Vilt
from train.objectives.config import ObjectiveConfig
from train.objectives.contrastive import Contrast
from train.objectives.matching import Matching, MatchingConfig, Negatives, hard_negatives
from train.objectives.pretraining import Pretraining
from train.optim import make_optimizer


def contrast_of(images: torch.Tensor, texts: torch.Tensor) -> Contrast:
    return Contrast(images_BE=images, texts_BE=texts, losses_B=torch.zeros(0), accuracy=torch.zeros(()))


@pytest.fixture
def distinct(batch: Batch, tokenizer: Tokenizer) -> Batch:
    """Sixteen images of nine colours each, and as many captions of any pieces."""
    generator = torch.Generator().manual_seed(0)
    tokens_BL = torch.randint(4, tokenizer.vocabulary, batch.tokens_BL.shape, generator=generator)
    tokens_BL[:, 0] = tokenizer.cls
    colours = torch.randint(256, (16, 3, 3, 3), dtype=torch.uint8, generator=generator)
    images_BCSS = colours.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    return replace(batch, images_BCSS=images_BCSS, tokens_BL=tokens_BL, real_BL=torch.ones_like(batch.real_BL))


def negatives_of(batch: Batch, contrast: Contrast, *, seed: int, scale: float = 1.0) -> Negatives:
    drawn = Matching(MatchingConfig(weight=1), patches=9).draw(batch, torch.Generator().manual_seed(seed))
    return hard_negatives(contrast, batch, drawn, scale=torch.tensor(scale))


def of_few_videos_and_captions(batch: Batch) -> Batch:
    """Rows 0 to 3 are of one video, 4 and 5 of one caption."""
    videos_B, tokens_BL = batch.videos_B.clone(), batch.tokens_BL.clone()
    videos_B[:4], tokens_BL[5] = 7, tokens_BL[4].clone()
    return replace(batch, videos_B=videos_B, tokens_BL=tokens_BL)


def test_negatives_are_never_of_the_same_video_or_caption(batch: Batch) -> None:
    batch = of_few_videos_and_captions(batch)
    points = torch.eye(16)
    points[:4] = points[0].clone()  # the nearest are those that are not allowed
    contrast = contrast_of(points, points)
    same = {row: {row} for row in range(16)} | {row: {0, 1, 2, 3} for row in range(4)} | {4: {4, 5}, 5: {4, 5}}
    for seed in range(100):
        negatives = negatives_of(batch, contrast, seed=seed, scale=20.0)
        assert negatives.found_B.all()
        for chosen_B in (negatives.texts_B, negatives.images_B):
            assert all(chosen not in same[row] for row, chosen in enumerate(chosen_B.tolist()))


def test_nearer_rows_are_drawn_in_proportion_to_the_softmax_of_their_similarity(distinct: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    images_BE, texts_BE = (torch.nn.functional.normalize(torch.randn(16, 8, generator=generator)) for _ in range(2))
    draws = [negatives_of(distinct, contrast_of(images_BE, texts_BE), seed=seed, scale=3.0) for seed in range(4000)]
    logits_BB = (3.0 * images_BE @ texts_BE.T).fill_diagonal_(-torch.inf)
    for chosen, wanted_BB in (
        ([each.texts_B for each in draws], logits_BB.softmax(dim=1)),
        ([each.images_B for each in draws], logits_BB.T.softmax(dim=1)),
    ):
        found_BB = torch.nn.functional.one_hot(torch.stack(chosen), 16).float().mean(dim=0)
        assert (found_BB - wanted_BB).abs().max() < 0.04  # five standard deviations


def test_the_draw_alone_decides(batch: Batch) -> None:
    contrast = contrast_of(torch.eye(16), torch.eye(16))
    first, again, other = (negatives_of(batch, contrast, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.texts_B, again.texts_B)
    assert not torch.equal(first.texts_B, other.texts_B)


def test_a_row_without_a_negative_is_left_out(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    """All of one video: only the true pairs count."""
    batch = replace(batch, videos_B=torch.zeros_like(batch.videos_B))
    assert not negatives_of(batch, contrast_of(torch.eye(16), torch.eye(16)), seed=0).found_B.any()
    objective = objective_of(config, tokenizer, model, shown=1.0)
    losses = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    (found,) = (term.value.item() for term in losses.terms if term.name == "matching")
    logits_B2 = model.match(
        TextInput(tokens_RL=batch.tokens_BL, real_RL=batch.real_BL), whole_image(model.patchify(batch.images_BCSS))
    )
    wanted = torch.nn.functional.cross_entropy(logits_B2, torch.ones(16, dtype=torch.int64)).item()
    assert found == pytest.approx(wanted, rel=1e-5)


def test_true_pairs_are_told_from_hard_negatives(
    model: Vilt, distinct: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    """A few pairs, seen again and again: to say no every time is right in two of three."""
    objective = objective_of(config, tokenizer, model, shown=1.0)
    optimizer = make_optimizer(model, config.optim.model_copy(update={"lr": 3e-3}))
    chance = torch.Generator().manual_seed(0)
    accuracies = []
    for _ in range(100):
        losses = objective(model, distinct, objective.draw(distinct, chance))
        torch.autograd.backward(losses.total)
        optimizer.step()
        optimizer.zero_grad()
        accuracies.append(losses.accuracies["matching"].item())
    assert sum(accuracies[-10:]) / 10 > 0.9


def objective_of(config: TrainConfig, tokenizer: Tokenizer, model: Vilt, *, shown: float) -> Pretraining:
    """Nothing but contrast and matching."""
    settings = {
        "weights": dict.fromkeys(config.objective.weights.model_dump(), 0),
        "matching": {"weight": 1, "shown": shown},
    }
    chosen = ObjectiveConfig.model_validate(config.objective.model_dump() | settings)
    return Pretraining(chosen, mask_token=tokenizer.mask, patches=model.patches)
