"""Speed and memory since the last log line, and what share of the machine's arithmetic the model used."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from train.hardware import utilisation

STATUS = Path("/proc/self/status")  # Linux's


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What speed is measured against."""

    device: torch.device
    rows_per_step: int  # of all processes
    flops_per_step: float  # of the model alone: what is computed again for memory's sake does not count
    peak_flops: float | None  # a second, of all processes together; None if unknown


class Pace:
    """Begins to measure when made."""

    def __init__(self, machine: Machine) -> None:
        self._steps = 0
        self._machine = machine
        self._start = time.perf_counter()
        self._waited = 0.0  # seconds

    def step(self) -> None:
        """One more is done."""
        self._steps += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent in it is time waited for data."""
        asked = time.perf_counter()
        yield
        self._waited += time.perf_counter() - asked

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time spent in it does not count."""
        if self._machine.device.type == "cuda":
            torch.cuda.synchronize(self._machine.device)  # what is still to be computed does
        began = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - began

    def figures(self) -> dict[str, float]:
        """`model_flop_utilisation` is of what the machine can do at most, 0..1, where that is known."""
        seconds = time.perf_counter() - self._start
        flops = self._steps * self._machine.flops_per_step
        figures = {
            "samples_per_second": self._steps * self._machine.rows_per_step / seconds,
            "data_wait_share": self._waited / seconds,
            "model_tflops": flops / seconds / 1e12,  # a second
            "peak_memory_gb": peak_memory(self._machine.device) / 1e9,
        }
        if self._machine.peak_flops:
            figures["model_flop_utilisation"] = utilisation(flops, seconds=seconds, peak=self._machine.peak_flops)
        return figures


def peak_memory(device: torch.device) -> int:
    """The most bytes that were in use at once since the start: of the GPU, or of this process without one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATUS.is_file():  # getrusage would count what the process that started this one had used, too
        (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
