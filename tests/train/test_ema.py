"""The running mean of the weights."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from train.ema import Ema
from train.errors import CheckpointError
from train.models.vilt import Vilt


def _moved(model: nn.Module, seed: int) -> None:
    """As an optimizer's step would change the weights."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_the_mean_forgets_its_random_start_and_then_decays_slowly() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, decay=0.9)
    wanted = 0.0
    for step in range(120):  # from the 80th on the decay is the one given
        nn.init.constant_(model.weight, math.sin(step))
        ema.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * math.sin(step)
        assert ema.tensors()["weight"].item() == pytest.approx(wanted, abs=1e-6)


def test_within_it_the_model_has_the_means_and_after_it_its_own_weights_to_the_bit(model: Vilt) -> None:
    ema = Ema(model, decay=0.9)
    for step in range(3):
        _moved(model, step)
        ema.update(step)
    own, means = _weights(model), {name: mean.clone() for name, mean in ema.tensors().items()}
    with pytest.raises(ZeroDivisionError), ema.applied():
        within = _weights(model)
        raise ZeroDivisionError  # an evaluation that fails must not leave the means in the model
    assert all(torch.equal(within[name], means[name]) and not torch.equal(within[name], own[name]) for name in own)
    assert all(torch.equal(weight, own[name]) for name, weight in _weights(model).items())
    assert all(torch.equal(mean, means[name]) for name, mean in ema.tensors().items())


def test_buffers_are_the_models_own(model: Vilt) -> None:
    ema = Ema(model, decay=0.9)
    model.bag_head.idf_V.fill_(7.0)
    assert "bag_head.idf_V" not in ema.tensors()
    with ema.applied():
        assert set(model.bag_head.idf_V.tolist()) == {7.0}


def test_a_mean_that_was_stored_goes_on_as_if_it_had_never_stopped(model: Vilt) -> None:
    ema = Ema(model, decay=0.9)
    _moved(model, 0)
    ema.update(0)
    stored = {name: mean.clone() for name, mean in ema.tensors().items()}
    resumed = Ema(model, decay=0.9)
    resumed.load(stored, source="ema.safetensors")
    _moved(model, 1)
    ema.update(1)
    resumed.update(1)
    assert all(torch.equal(mean, resumed.tensors()[name]) for name, mean in ema.tensors().items())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tensors: tensors.pop("norm.bias"), r"ema\.safetensors lacks the mean of norm\.bias"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "it has more, which this model has not"),
        (lambda tensors: tensors.update({"norm.bias": torch.zeros(3)}), r"norm\.bias of shape \(3,\) instead of"),
    ],
)
def test_means_of_another_model_are_refused(
    model: Vilt, change: Callable[[dict[str, Tensor]], object], sentence: str
) -> None:
    ema = Ema(model, decay=0.9)
    tensors = dict(ema.tensors())
    change(tensors)
    with pytest.raises(CheckpointError, match=sentence):
        ema.load(tensors, source="ema.safetensors")
