"""Writes checkpoints, each under a temporary name until all of it is on the disk, and deletes old ones."""

import dataclasses
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from train.checkpoint import (
    EMA_NAME,
    LATEST_NAME,
    MODEL_NAME,
    OPTIMIZER_NAME,
    SETTINGS_NAME,
    STATE_NAME,
    TOKENIZER_NAME,
    checkpoints_in,
)
from train.data.tokenizer import Tokenizer
from train.ema import Ema
from train.errors import CannotSave
from train.optim import trained_parameters
from train.parallel import whole_tensors
from train.state import TrainState


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """All tensors of a checkpoint, whole and on the CPU."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    ema: dict[str, Tensor] | None

    @classmethod
    def gathered(cls, model: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None) -> "Weights":
        """Of a model that may be cut into shards: every process must call it at the same point."""
        return cls(
            model=whole_tensors(model.state_dict()),
            optimizer=_optimizer_tensors(model, optimizer),
            ema=None if ema is None else whole_tensors(ema.tensors()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Saves checkpoints of one run into its folder."""

    folder: Path
    settings: str  # resolved, as YAML
    tokenizer: Tokenizer
    keep: int  # newest ones; older ones are deleted
    keep_every: int = 0  # steps; what falls on a multiple is never deleted; 0 keeps no such ones

    def save(self, weights: Weights, state: TrainState) -> Path:
        final = self.folder / f"step-{state.step:08d}"
        partial = self.folder / f".{final.name}.partial"
        self._clear()
        try:
            self._write(partial, weights, state)
            if final.exists():
                _set_aside(final)
            partial.rename(final)
            _flush_entry(self.folder)
            self.point_at(final)
        except (OSError, SafetensorError) as error:
            raise CannotSave(
                f"The checkpoint of step {state.step} cannot be written to {self.folder}: {error}."
            ) from None
        self._forget_old(state.step)
        return final

    def point_at(self, checkpoint: Path) -> None:
        """Make it the one that a run goes on from."""
        _point_at(self.folder / LATEST_NAME, checkpoint.name)

    def _write(self, partial: Path, weights: Weights, state: TrainState) -> None:
        partial.mkdir(parents=True)
        save_file(weights.model, partial / MODEL_NAME)
        save_file(weights.optimizer, partial / OPTIMIZER_NAME)
        if weights.ema is not None:
            save_file(weights.ema, partial / EMA_NAME)
        self.tokenizer.save(partial / TOKENIZER_NAME)
        (partial / SETTINGS_NAME).write_text(self.settings, encoding="utf-8")
        text = json.dumps(dataclasses.asdict(state), indent=1)
        (partial / STATE_NAME).write_text(text + "\n", encoding="utf-8")
        _flush(partial)

    def _forget_old(self, newest: int) -> None:
        """Those of later steps are of before the run was taken back, and are left alone."""
        ours = [step for step in checkpoints_in(self.folder) if step <= newest and not self._is_kept(step)]
        for step in ours[: max(0, len(ours) - self.keep)]:
            with suppress(OSError):  # this one is saved: an old one that will not go is no reason to end
                _set_aside(checkpoints_in(self.folder)[step])
        self._clear()

    def _clear(self) -> None:
        """What is set aside, and what a killed writer has left."""
        for left in self.folder.glob(".step-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _is_kept(self, step: int) -> bool:
        return bool(self.keep_every) and step % self.keep_every == 0


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    names = [name for name, _ in trained_parameters(model)]
    return whole_tensors(
        {f"{names[number]}/{key}": tensor for number, entry in states.items() for key, tensor in entry.items()}
    )


def _set_aside(checkpoint: Path) -> None:
    """Under a name that nobody reads, as to delete it takes time: killed in between, it is torn."""
    checkpoint.rename(checkpoint.with_name(f".{checkpoint.name}.stale"))


def _point_at(pointer: Path, name: str) -> None:
    partial = pointer.with_name(f".{pointer.name}.partial")
    partial.write_text(f"{name}\n", encoding="utf-8")
    _flush_entry(partial)
    partial.replace(pointer)
    _flush_entry(pointer.parent)


def _flush(folder: Path) -> None:
    """To the disk, so that a rename that survives a power cut names files that did too."""
    for path in (folder, *folder.rglob("*")):
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
