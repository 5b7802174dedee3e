"""How the model is spread over processes: copies that average their gradients (DDP), or one cut into shards (FSDP2).

A checkpoint does not show which: tensors are gathered whole before they are written and cut again after they are read,
so a run may go on with another number of processes, or the other way.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from train.distributed import Place
from train.models.vilt import Vilt

Parallel = Literal["ddp", "fsdp"]


def spread(learning: nn.Module, model: Vilt, place: Place, *, parallel: Parallel, bf16: bool) -> nn.Module:
    """`learning`, which holds `model`, as each of the processes is to call it; alone it is called as it is.

    FSDP2 cuts `model` itself, so an optimizer must be made after this.
    """
    if place.world == 1:
        return learning
    device = next(learning.parameters()).device
    if parallel == "ddp":
        ours = [device] if device.type == "cuda" else None
        with warnings.catch_warnings():  # torch 2.13 calls it forward_sync_buffers, which older ones do not know
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            return DistributedDataParallel(
                learning, device_ids=ours, gradient_as_bucket_view=True, broadcast_buffers=False
            )
    mesh = init_device_mesh(device.type, (place.world,))
    # The blocks' matrix products round to bf16 under autocast anyway: gathering in bf16 halves what travels.
    gathered = torch.bfloat16 if bf16 and device.type == "cuda" else None
    rounded = MixedPrecisionPolicy(param_dtype=gathered, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in (*model.blocks, *model.decoder.blocks):
        fully_shard(block, mesh=mesh, mp_policy=rounded)
    fully_shard(learning, mesh=mesh)
    return learning


@contextmanager
def exchange(called: nn.Module, *, now: bool) -> Iterator[None]:
    """The backward pass in it averages gradients over the processes only if `now`; else they pile up in each."""
    if isinstance(called, DistributedDataParallel) and not now:
        with called.no_sync():
            yield
        return
    if isinstance(called, FSDPModule):
        called.set_requires_gradient_sync(now)
    yield


def is_cut(called: nn.Module) -> bool:
    """Whether each process holds only a part of the weights."""
    return isinstance(called, FSDPModule)


@contextmanager
def whole_weights(called: nn.Module) -> Iterator[None]:
    """In it the model's own methods may be called, in all processes alike: its outer weights are gathered."""
    if not isinstance(called, FSDPModule):
        yield
        return
    called.unshard()
    try:
        yield
    finally:
        called.reshard()


def whole(tensor: Tensor) -> Tensor:
    """The tensor with all its shards; every process must ask for it at the same point."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, each with all its shards."""
    return {name: whole(tensor.detach()).cpu().contiguous() for name, tensor in tensors.items()}


def cut_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """`tensor`, which is whole, spread as `parameter` is."""
    moved = tensor.to(parameter.device)
    if isinstance(parameter, DTensor) and tensor.shape == parameter.shape:
        return distribute_tensor(moved, parameter.device_mesh, parameter.placements)
    return moved
