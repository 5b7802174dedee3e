"""The optimizer: what decays, and how fast each layer learns."""

import pytest
import torch

from configs.loading import ConfigError, load
from train.config import TrainConfig
from train.models.vilt import Vilt
from train.optim import OptimConfig, make_optimizer, set_learning_rate, trained_parameters


@pytest.mark.parametrize("betas", ["[0.9, 1.0]", "[-0.1, 0.9]"])
def test_a_running_mean_that_keeps_all_is_refused(betas: str) -> None:
    with pytest.raises(ConfigError, match=r"optim\.betas"):
        load(TrainConfig, None, [f"optim.betas={betas}"])


def test_norms_biases_and_embeddings_do_not_decay(model: Vilt) -> None:
    optimizer = make_optimizer(model, OptimConfig(weight_decay=0.3))
    decay_of = {
        id(parameter): group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]
    }
    for name, parameter in model.named_parameters():
        spared = parameter.dim() < 2 or "pieces" in name or "places" in name
        if parameter.requires_grad:
            assert decay_of[id(parameter)] == (0.0 if spared else 0.3), name


def _factors(model: Vilt, config: OptimConfig) -> dict[str, float]:
    """How fast each trained weight learns, as a factor of the rate."""
    optimizer = make_optimizer(model, config)
    set_learning_rate(optimizer, 1.0)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    return {name: rates[id(parameter)] for name, parameter in model.named_parameters() if id(parameter) in rates}


def test_lower_layers_learn_slower_by_the_layer_decay(model: Vilt) -> None:
    factors = _factors(model, OptimConfig(layer_decay=0.5))
    for start, factor in {"text.": 1 / 8, "image.": 1 / 8, "blocks.0.": 1 / 4, "blocks.1.": 1 / 2}.items():
        assert {value for name, value in factors.items() if name.startswith(start)} == {factor}, start
    rest = {value for name, value in factors.items() if not name.startswith(("text.", "image.", "blocks."))}
    assert rest == {1.0}


def test_without_layer_decay_all_learn_at_one_rate(model: Vilt) -> None:
    assert set(_factors(model, OptimConfig()).values()) == {1.0}
    assert len(make_optimizer(model, OptimConfig()).param_groups) == 2


@pytest.mark.parametrize("settings", [{}, {"layer_decay": 0.5}, {"weight_decay": 0.0}])
def test_the_order_told_is_the_optimizer_s_whatever_is_set_or_frozen(model: Vilt, settings: dict[str, float]) -> None:
    for parameter in (*model.blocks[0].parameters(), *model.bag_head.parameters()):
        parameter.requires_grad_(False)
    optimizer = make_optimizer(model, OptimConfig(**settings))
    held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert held == [id(parameter) for _, parameter in trained_parameters(model)]
    assert len(held) == sum(parameter.requires_grad for parameter in model.parameters())


def test_freezing_what_lies_above_leaves_a_layer_its_rate(model: Vilt) -> None:
    before = _factors(model, OptimConfig(layer_decay=0.5))["text.type_D"]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("text."))
    assert _factors(model, OptimConfig(layer_decay=0.5))["text.type_D"] == before


def test_the_rate_set_reaches_the_weights_scaled_by_layer(model: Vilt) -> None:
    """AdamW's first step is as long as the rate, whatever the gradient."""
    optimizer = make_optimizer(model, OptimConfig(layer_decay=0.5, weight_decay=0.0))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    set_learning_rate(optimizer, 0.1)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, factor in {"text.type_D": 1 / 8, "blocks.1.norm1.bias": 1 / 2, "norm.bias": 1.0}.items():
        moved = before[name] - model.get_parameter(name).detach()
        assert moved.tolist() == pytest.approx([0.1 * factor] * len(moved), rel=1e-3), name
