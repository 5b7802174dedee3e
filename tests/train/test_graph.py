"""A step is one graph: nothing in the losses waits for the device or takes a shape from the data."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.config import ObjectiveConfig
from train.objectives.pretraining import Pretraining

DEFAULT: dict[str, Any] = {}
EVERYTHING: dict[str, Any] = {
    "matching": {"weight": 1},
    "contrastive": {"shown": 0.5, "label_smoothing": 0.1},
    "label_smoothing": 0.1,
    "whole_words": True,
    "image_target": {"joint": "standardised", "hidden": "lowres"},
    "pair_weights": {"by": "loss"},
}


@pytest.mark.parametrize(
    "settings", [pytest.param(DEFAULT, marks=pytest.mark.slow), EVERYTHING], ids=["default", "all"]
)
def test_the_losses_are_one_graph_of_fixed_shapes_whatever_the_samples(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, settings: dict[str, Any]
) -> None:
    objective = objective_of(config, tokenizer, model, settings)
    batch = replace(batch, lone_texts=2, lone_images=1)
    graphs: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(objective, fullgraph=True, dynamic=False, backend=counting)
    for number, each in enumerate((batch, other(batch))):
        drawn = objective.draw(each, torch.Generator().manual_seed(number))
        wanted, found = objective(model, each, drawn), compiled(model, each, drawn)
        assert found.total.item() == pytest.approx(wanted.total.item(), rel=1e-5)
        assert {term.name for term in found.terms} == {term.name for term in wanted.terms}
    assert len(graphs) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("settings", [DEFAULT, EVERYTHING], ids=["default", "all"])
def test_nothing_in_a_step_waits_for_the_gpu(
    model: Vilt, batch: Batch, config: TrainConfig, tokenizer: Tokenizer, settings: dict[str, Any]
) -> None:
    objective, device = objective_of(config, tokenizer, model, settings), torch.device("cuda")
    model.to(device)
    drawn, batch = objective.draw(batch, torch.Generator().manual_seed(0)).to(device), batch.to(device)
    torch.autograd.backward(objective(model, batch, drawn).total)  # what is set up once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.autograd.backward(objective(model, batch, drawn).total)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def objective_of(config: TrainConfig, tokenizer: Tokenizer, model: Vilt, settings: dict[str, Any]) -> Pretraining:
    chosen = ObjectiveConfig.model_validate(config.objective.model_dump() | settings)
    return Pretraining(chosen, mask_token=tokenizer.mask, patches=model.patches)


def other(batch: Batch) -> Batch:
    """Captions as long, of other pieces; other images, names and videos."""
    return replace(
        batch,
        images_BCSS=batch.images_BCSS.flip(0),
        tokens_BL=batch.tokens_BL.flip(1),
        videos_B=batch.videos_B % 3,
        captions=batch.captions[::-1],
        keys=batch.keys[::-1],
        after=(),
    )
