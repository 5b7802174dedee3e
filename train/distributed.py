"""The processes that train together: who this one is, and the few things they must agree on.

torchrun starts them and says by environment variables who is who; without it there is one. Tensors travel by NCCL
between GPUs. What the processes agree on beside tensors (a request, an interruption) goes through Gloo, so that
nothing waits for a GPU.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed

from shards.errors import ShardsError
from train.errors import Diverged, ProcessLost, RequestError, TrainError

PATIENCE = timedelta(hours=2)  # for what one process does while the others wait: a tokenizer, an evaluation
GATHERING = timedelta(minutes=10)  # for all to be there, and for the others within a step
LAST_WORDS = timedelta(seconds=10)  # to say what has gone wrong, before all end

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A process among those that train together."""

    rank: int = 0
    world: int = 1  # number of processes
    local: int = 0  # rank among those of this machine: which of its GPUs is ours
    neighbours: int = 1  # processes on this machine, this one too

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0


ALONE = Place()


def place_from_environment() -> Place:
    """What torchrun says. Raises RequestError when its variables contradict each other."""
    defaults = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    values = [os.environ.get(name, default) for name, default in defaults.items()]
    if not all(value.isdecimal() for value in values):
        raise RequestError(f"{', '.join(defaults)} are {values}, which are no numbers: start with torchrun.")
    rank, world, local, neighbours = map(int, values)
    if rank >= max(1, world):
        raise RequestError(f"RANK={rank} with WORLD_SIZE={world} cannot be: start the processes with torchrun.")
    return Place(rank=rank, world=max(1, world), local=local, neighbours=max(1, neighbours))


@contextmanager
def joined(place: Place) -> Iterator["Company"]:
    """The processes connected, as long as the context lasts.

    What goes wrong in one that is not the first is told with its rank and machine. Of what goes wrong in all alike only
    the first speaks.
    """
    if place.world == 1:
        yield Company(place)
        return
    company = Company(place, _gathered(place))
    try:
        yield company
    except Exception as error:
        if isinstance(error, RuntimeError) and _comes_of_others(error):
            raise ProcessLost(
                f"Another of the {place.world} processes has ended or no longer answers, so process {place.rank} "
                "cannot go on: see what that one says, or whether it was killed, and go on from the last checkpoint "
                "with --resume."
            ) from error
        if place.first:
            raise
        if isinstance(error, Diverged):  # as all do, who judge by the same numbers
            company.leave()
        raise _placed(error, place) from error
    torch.distributed.destroy_process_group()  # after a good end only: else it would wait for the others


def _gathered(place: Place) -> Any:
    """The group in which the processes agree. Raises ProcessLost if not all of them come."""
    # NCCL connects when it is first used, on the device that then is the current one.
    backends = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        torch.distributed.init_process_group(backends, timeout=GATHERING)
        return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    except RuntimeError as error:
        if not _comes_of_others(error):
            raise
        raise ProcessLost(
            f"Not all of the {place.world} processes met within {GATHERING.total_seconds():g} s, so process "
            f"{place.rank} leaves: see whether one was killed, and start all of them again."
        ) from error


def _comes_of_others(error: RuntimeError) -> bool:
    """Gloo's errors have no class of their own, but name the file they come from."""
    return isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error)


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
            self.leave()
        result: T = made[1]
        return result

    def each(self, make: Callable[[], T]) -> T:
        """What `make` gives in each process; if it fails in any, all end as in `fail_together`."""
        failure: Exception | None = None
        try:
            made = make()
        except Exception as error:  # whatever it is, the others must not wait for ever
            failure = error
        self.fail_together(failure)
        return made

    def leave(self) -> NoReturn:
        """In silence, but not before the first, who says why: torchrun ends all others as soon as one has ended."""
        with suppress(RuntimeError):  # by which Gloo tells that one has ended
            torch.distributed.barrier(self._group, async_op=True).wait(LAST_WORDS)
        raise SystemExit(2)

    def fail_together(self, failure: Exception | None) -> None:
        """If any of the processes has failed, the first raises that failure and the others leave in silence."""
        if self._group is None:
            if failure is not None:
                raise failure
            return
        told: list[Any] = [None] * self.place.world
        mine = None if failure is None else _placed(failure, self.place)
        try:
            torch.distributed.all_gather_object(told, mine, group=self._group)
        except RuntimeError:  # another has ended meanwhile
            if failure is None:
                raise
            raise failure from None
        found = next((each for each in told if each is not None), None)
        if found is None:
            return
        if not self.place.first:
            self.leave()
        raise found if failure is None else failure


def _placed(failure: Exception, place: Place) -> Exception:
    """Told with where it was met. Can be sent to others, which nobody knows of strangers' errors."""
    where = f"Process {place.rank} on {platform.node()}"
    if isinstance(failure, (TrainError, ShardsError)):
        return type(failure)(f"{where}: {failure}")
    return TrainError(f"{where}: {type(failure).__name__}: {failure}")
