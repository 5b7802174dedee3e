"""How much each pair counts."""

from dataclasses import replace

import pytest
import torch

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.config import ObjectiveConfig
from train.objectives.pretraining import Pretraining
from train.objectives.weighing import PairWeightsConfig, pair_weights

CROSSING = {"joint_text", "hidden_text", "hidden_text_bow", "hidden_image", "contrastive", "matching"}


def test_without_weighing_there_are_no_weights(batch: Batch) -> None:
    assert pair_weights(PairWeightsConfig(), batch, torch.zeros(16)) is None


def test_a_score_weighs_from_nothing_to_one_and_an_unknown_one_fully(batch: Batch) -> None:
    config = PairWeightsConfig(by="align_score", midpoint=0.2, temperature=0.02, floor=0.1)
    scores = torch.full((16,), 0.2)
    scores[:4] = torch.tensor([-1.0, -0.2, 0.22, 0.9])
    weights = pair_weights(config, replace(batch, align_B=scores), None)
    assert weights is not None
    assert weights[:5].tolist() == pytest.approx([1, 0.1, torch.tensor(1.0).sigmoid().item(), 1, 0.5])


def test_the_pairs_whose_contrast_is_worst_weigh_the_least(batch: Batch) -> None:
    losses_B = torch.randn(16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = pair_weights(PairWeightsConfig(by="loss", drop=0.25, floor=0.3), batch, losses_B)
    assert weights is not None and not weights.requires_grad
    assert weights[losses_B.argsort(descending=True)].tolist() == pytest.approx([0.3] * 4 + [1] * 12)


def test_the_loss_cannot_weigh_without_a_contrast() -> None:
    with pytest.raises(ValueError, match="give contrastive a weight above 0"):
        ObjectiveConfig.model_validate({"pair_weights": {"by": "loss"}, "contrastive": {"weight": 0}})


@pytest.mark.parametrize("by", ["align_score", "loss"])
def test_weights_reach_what_is_learnt_across_modalities_and_nothing_else(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, by: str
) -> None:
    judged = replace(batch, align_B=torch.tensor([0.1, 0.4]).repeat(8))
    plain, weighed = (losses(model, judged, config, tokenizer, by=each) for each in ("none", by))
    assert set(plain) > CROSSING
    assert {name for name in plain if plain[name] != weighed[name]} == CROSSING


def test_pairs_that_all_weigh_the_same_are_learnt_as_ever(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    even = replace(batch, align_B=torch.full((16,), 0.1))
    plain, weighed = (losses(model, even, config, tokenizer, by=each) for each in ("none", "align_score"))
    assert weighed == pytest.approx(plain, rel=1e-4)


def losses(model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, *, by: str) -> dict[str, float]:
    settings = {"matching": {"weight": 1}, "pair_weights": {"by": by, "drop": 0.5}}
    chosen = ObjectiveConfig.model_validate(config.objective.model_dump() | settings)
    objective = Pretraining(chosen, mask_token=tokenizer.mask, patches=model.patches)
    found = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    return {term.name: term.value.item() for term in found.terms}
