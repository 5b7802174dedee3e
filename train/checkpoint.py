"""A checkpoint: a folder that is either whole or absent, without a pickle in it.

    step-00000500/  model.safetensors  optimizer.safetensors  ema.safetensors (if there is a mean of the weights)
                    tokenizer/  config.yaml  state.json (written last)

It is written under a temporary name and renamed. `latest` beside it is a one-line file that names the newest one.
Tensors are whole, however many processes trained them.
"""

import dataclasses
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shards.errors import shown
from train.course import Course
from train.data.order import BEGINNING, Count, Position
from train.data.tokenizer import Tokenizer
from train.ema import Ema
from train.errors import CannotSave, CheckpointError
from train.optim import trained_parameters
from train.parallel import cut_like, whole_tensors
from train.rows import Rows
from train.schedule import Plateau

SCHEMA: Final = 2
LATEST_NAME = "latest"
STATE_NAME = "state.json"
MODEL_NAME = "model.safetensors"
EMA_NAME = "ema.safetensors"
SETTINGS_NAME = "config.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """How far one of the sets has been read."""

    path: str  # absolute, or a URL
    digest: str
    position: Position = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainState:
    """Everything but tensors that the next step depends on; what chance decides follows from the seed and the step."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    step: Count  # steps done
    sets: Annotated[tuple[SetState, ...], Field(min_length=1)]
    rows: Rows  # what a micro batch held last: it decides what the model has learnt
    plateau: Plateau = field(default_factory=Plateau)
    course: Course = field(default_factory=Course)
    schema: Literal[2] = SCHEMA

    @property
    def positions(self) -> tuple[Position, ...]:
        return tuple(each.position for each in self.sets)

    def after(self, positions: tuple[Position, ...]) -> "TrainState":
        """One step later."""
        sets = tuple(replace(each, position=now) for each, now in zip(self.sets, positions, strict=True))
        return replace(self, step=self.step + 1, sets=sets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint folder's small parts; the tensors are loaded into a model and an optimizer on demand."""

    folder: Path
    tokenizer: Tokenizer
    state: TrainState

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Raises CheckpointError when `folder` is not a whole checkpoint of this schema."""
        if not (folder / STATE_NAME).is_file():
            raise CheckpointError(
                f"{folder} is not a checkpoint: it holds no {STATE_NAME}. Give the folder of a run, or one in it."
            )
        state = _read_state(folder / STATE_NAME)
        return cls(folder=folder, tokenizer=Tokenizer.load(folder / "tokenizer"), state=state)

    @property
    def settings(self) -> Path:
        """The resolved settings of the run that wrote it, as YAML."""
        return self.folder / SETTINGS_NAME

    def load_model(self, model: nn.Module, *, mean: bool = False) -> None:
        """With `mean`, the mean of the weights in place of the weights, where there is one."""
        weights = _read_tensors(self.folder / MODEL_NAME)
        if mean and (path := self.folder / EMA_NAME).is_file():
            means = _read_tensors(path)
            if means.keys() != {name for name, _ in model.named_parameters()}:
                raise CheckpointError(f"{path} holds the mean of another model's weights: take another checkpoint.")
            weights |= means
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"The weights in {self.folder} do not fit its settings: {reason:.300}") from None

    def load_optimizer(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Raises CheckpointError for tensors that are missing, left over or of another shape than their parameter."""
        path = self.folder / "optimizer.safetensors"
        entries_of: dict[str, dict[str, Tensor]] = {}
        for key, tensor in _read_tensors(path).items():
            name, _, entry = key.rpartition("/")
            entries_of.setdefault(name, {})[entry] = tensor
        if self.state.step and not entries_of:
            raise CheckpointError(f"{path} is empty, so this checkpoint is damaged: resume from another one.")
        state: dict[int, dict[str, Tensor]] = {}
        for number, (name, parameter) in enumerate(trained_parameters(model)):
            if name in entries_of:  # else no loss has reached it yet
                entries = _fitting(entries_of.pop(name), parameter, f"{path}: {name}")
                state[number] = {entry: cut_like(tensor, parameter) for entry, tensor in entries.items()}
        for name in {name for name, _ in model.named_parameters()} & entries_of.keys():
            del entries_of[name]  # no longer learnt by the settings it goes on with
        if entries_of:
            raise CheckpointError(f"{path} is of another model: it has {min(entries_of)}, which this model has not.")
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

    def load_ema(self, ema: Ema) -> None:
        """A run that begins to average its weights only now has no mean to go on from, and starts with what it has."""
        path = self.folder / EMA_NAME
        if path.is_file():
            ema.load(_read_tensors(path), source=str(path))


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
        save_file(weights.optimizer, partial / "optimizer.safetensors")
        if weights.ema is not None:
            save_file(weights.ema, partial / EMA_NAME)
        self.tokenizer.save(partial / "tokenizer")
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


def _set_aside(checkpoint: Path) -> None:
    """Under a name that nobody reads, as to delete it takes time: killed in between, it is torn."""
    checkpoint.rename(checkpoint.with_name(f".{checkpoint.name}.stale"))


def checkpoints_in(folder: Path) -> dict[int, Path]:
    """Step to checkpoint, in order; what a person has put beside them is not among them."""
    named = {path: re.fullmatch(r"step-(\d{8,})", path.name) for path in sorted(folder.glob("step-*"))}
    return {int(match[1]): path for path, match in named.items() if match}


def latest_checkpoint(folder: Path) -> Path:
    """The newest of the checkpoints in `folder`. Raises CheckpointError if there is none."""
    pointer = folder / LATEST_NAME
    if not pointer.is_file():
        if whole := checkpoints_in(folder):  # killed before it could point at its first one
            return whole[max(whole)]
        raise CheckpointError(f"{folder} holds no checkpoint: there is no file {LATEST_NAME!r} in it.")
    name = pointer.read_text(encoding="utf-8", errors="replace").strip()
    if Path(name).name != name:
        raise CheckpointError(f"{pointer} names {name!r:.80}, which does not lie in its folder.")
    return folder / name


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    names = [name for name, _ in trained_parameters(model)]
    return whole_tensors(
        {f"{names[number]}/{key}": tensor for number, entry in states.items() for key, tensor in entry.items()}
    )


def _fitting(entries: dict[str, Tensor], parameter: Tensor, place: str) -> dict[str, Tensor]:
    shapes = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
    for name, shape in shapes.items():
        if name not in entries:
            raise CheckpointError(f"{place} lacks its {name}, so this checkpoint is damaged: resume from another one.")
        if entries[name].shape != shape:
            raise CheckpointError(
                f"{place} has {name} of shape {tuple(entries[name].shape)} instead of {tuple(shape)}: "
                "this is the checkpoint of another model."
            )
    return entries


def _read_state(path: Path) -> TrainState:
    try:
        return TypeAdapter(TrainState).validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    first = min(wrong, key=lambda each: each["loc"] != ("schema",))  # another schema explains all the rest
    name, value = ".".join(map(str, first["loc"])), shown(first["input"])
    if name == "schema":
        raise CheckpointError(f"{path} has schema {value}; this version reads schema {SCHEMA}.")
    at = f"{name}={value}: " if name else ""
    raise CheckpointError(f"{path} is not the state of a checkpoint: {at}{first['msg']}. Resume from another one.")


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read, so this checkpoint is damaged: {error}.") from None


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


def _point_at(pointer: Path, name: str) -> None:
    partial = pointer.with_name(f".{pointer.name}.partial")
    partial.write_text(f"{name}\n", encoding="utf-8")
    _flush_entry(partial)
    partial.replace(pointer)
    _flush_entry(pointer.parent)
