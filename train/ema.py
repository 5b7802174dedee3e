"""A running mean of the weights, which scores better than the weights of any one step and costs next to nothing.

    mean <- mean + (1 - d) (weights - mean),   d = min(decay, (1 + step) / (10 + step))

The smaller d of the first steps forgets the random start: TensorFlow's ExponentialMovingAverage with `num_updates`.
Only parameters are averaged; buffers do not learn and stay the model's own. The parameters may be shards (DTensor):
each process averages what it holds, and nothing is sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from train.errors import CheckpointError
from train.parallel import cut_like


class Ema:
    """The mean of a model's parameters, in float32."""

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        """Starts from the parameters as they are; `decay` in [0, 1) is the share of the old mean that a step keeps."""
        self._model = model
        self._decay = decay
        _reshard(model)
        self._means = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        assert all(mean.dtype == torch.float32 for mean in self._means.values())  # bf16 would lose every small step

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after the step numbered from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        means, parameters = zip(*self._pairs(), strict=True)
        torch._foreach_lerp_(means, parameters, 1 - decay)

    def tensors(self) -> dict[str, Tensor]:
        """The means by their parameters' names, for a checkpoint; of a sharded model DTensors. They are not copies."""
        return dict(self._means)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Go on from the means of a checkpoint; whole ones are cut to a sharded model's shards.

        Raises CheckpointError, naming `source`, if they are not the means of this model's parameters.
        """
        for name in sorted(self._means.keys() ^ tensors.keys()):
            if name in self._means:
                raise CheckpointError(f"{source} lacks the mean of {name}, so it is damaged or of another model.")
            raise CheckpointError(f"{source} is of another model: it has {name}, which this model has not.")
        for name, mean in self._means.items():
            if tensors[name].shape != mean.shape:
                raise CheckpointError(
                    f"{source} has {name} of shape {tuple(tensors[name].shape)} instead of {tuple(mean.shape)}: "
                    "this is the checkpoint of another model."
                )
        for name, mean in self._means.items():
            mean.copy_(cut_like(tensors[name], mean))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the means for parameters; after it its own again, to the bit.

        Only one tensor is copied at a time, so it takes hardly any memory. Don't train or save within it.
        """
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for mean, parameter in self._pairs():
            kept = parameter.clone()
            parameter.copy_(mean)
            mean.copy_(kept)

    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Mean and parameter, as far as this process holds them."""
        _reshard(self._model)
        return [(_local(self._means[name]), _local(parameter)) for name, parameter in self._model.named_parameters()]


def _reshard(model: nn.Module) -> None:
    """A forward pass leaves a sharded root's weights gathered: the next one would use them as they were."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
