"""The processes that train together: who this one is, and the few things they must agree on.

torchrun starts them and says by environment variables who is who; without it there is one. Tensors travel by NCCL
between GPUs. What the processes agree on beside tensors (a request, an interruption) goes through Gloo, so that
nothing waits for a GPU.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed

from train.errors import RequestError

PATIENCE = timedelta(hours=2)  # for what one process does while the others wait: a tokenizer, an evaluation

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A process among those that train together."""

    rank: int = 0
    world: int = 1  # number of processes
    local: int = 0  # rank among those of this machine: which of its GPUs is ours

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0


ALONE = Place()


def place_from_environment() -> Place:
    """What torchrun says. Raises RequestError when its variables contradict each other."""
    values = [
        os.environ.get(name, default) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    ]
    if not all(value.isdecimal() for value in values):
        raise RequestError(f"RANK, WORLD_SIZE and LOCAL_RANK are {values}, which are no numbers: start with torchrun.")
    rank, world, local = map(int, values)
    if rank >= max(1, world):
        raise RequestError(f"RANK={rank} with WORLD_SIZE={world} cannot be: start the processes with torchrun.")
    return Place(rank=rank, world=max(1, world), local=local)


@contextmanager
def joined(place: Place, device: torch.device) -> Iterator["Company"]:
    """The processes connected, as long as the context lasts."""
    if place.world == 1:
        yield Company(place)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Company(place, torch.distributed.new_group(backend="gloo", timeout=PATIENCE))
    torch.distributed.destroy_process_group()  # after a good end only: else it would wait for the others


class Company:
    """The processes that train together, as seen by one of them."""

    def __init__(self, place: Place, group: Any = None) -> None:
        self.place = place
        self._group = group  # of processes, by Gloo; None where there is only one

    def any(self, flag: bool) -> bool:
        """Whether it is so for any of the processes; all must ask at the same point."""
        if self._group is None:
            return flag
        flags = torch.tensor(int(flag))
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX, group=self._group)
        return bool(flags)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean of a CPU tensor over the processes."""
        if self._group is None:
            return values
        torch.distributed.all_reduce(values, group=self._group)
        return values / self.place.world

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, handed to all; if it fails there, the others leave in silence."""
        if self._group is None:
            return make()
        made: list[Any] = [False, None]  # whether it was made, and what
        failure: Exception | None = None
        if self.place.first:
            try:
                made = [True, make()]
            except Exception as error:  # whatever it is, the others must not wait for ever
                failure = error
        torch.distributed.broadcast_object_list(made, src=0, group=self._group)
        if failure:
            raise failure
        if not made[0]:
            raise SystemExit(2)  # the first process has said why
        result: T = made[1]
        return result
