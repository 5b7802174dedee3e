"""The optimizer and its schedule."""

import math

import pytest

from configs.loading import ConfigError, load
from train.config import TrainConfig
from train.models.vilt import Vilt
from train.optim import OptimConfig, learning_rate, make_optimizer, trained_parameters

CONFIG = OptimConfig(lr=1.0, warmup_steps=10, final_lr=0.1)


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine() -> None:
    rates = [learning_rate(CONFIG, step, steps=110) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert rates[110] == pytest.approx(0.1)


def test_a_warm_up_longer_than_the_run_is_no_error() -> None:
    assert learning_rate(CONFIG, 5, steps=6) == pytest.approx(0.6)


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


def test_all_that_is_trained_is_in_the_optimizer_in_the_order_told(model: Vilt) -> None:
    optimizer = make_optimizer(model, OptimConfig())
    held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert held == [id(parameter) for _, parameter in trained_parameters(model)]
    assert len(held) == sum(parameter.requires_grad for parameter in model.parameters())
