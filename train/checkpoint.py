"""A checkpoint: a folder that is either whole or absent, without a pickle in it.

    step-00000500/  model.safetensors  optimizer.safetensors  tokenizer/  config.yaml  state.json (written last)

It is written under a temporary name and renamed. `latest` beside it is a one-line file that names the newest one.
"""

import base64
import dataclasses
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from train.data.order import Position
from train.data.tokenizer import Tokenizer
from train.errors import CheckpointError
from train.optim import trained_parameters

SCHEMA = 1
LATEST_NAME = "latest"
STATE_NAME = "state.json"
SETTINGS_NAME = "config.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainState:
    """Everything but tensors that the next step depends on."""

    step: int  # steps done
    positions: tuple[Position, ...]  # in each of the sets that are read
    shards: str  # absolute path of the set
    shards_digest: str
    random_states: dict[str, str]  # generator's name -> its state, base64; "cuda" only of a run on a GPU
    schema: int = SCHEMA


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

    def load_model(self, model: nn.Module) -> None:
        weights = _read_tensors(self.folder / "model.safetensors")
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
                state[number] = _fitting(entries_of.pop(name), parameter, f"{path}: {name}")
        if entries_of:
            raise CheckpointError(f"{path} is of another model: it has {min(entries_of)}, which this model has not.")
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Saves checkpoints of one run into its folder."""

    folder: Path
    settings: str  # resolved, as YAML
    tokenizer: Tokenizer
    keep: int  # newest ones; older ones are deleted

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, state: TrainState) -> Path:
        final = self.folder / f"step-{state.step:08d}"
        partial = self.folder / f".{final.name}.partial"
        for stale in (partial, final):
            if stale.exists():
                shutil.rmtree(stale)
        partial.mkdir(parents=True)
        save_file(_contiguous(model.state_dict()), partial / "model.safetensors")
        save_file(_optimizer_tensors(model, optimizer), partial / "optimizer.safetensors")
        self.tokenizer.save(partial / "tokenizer")
        (partial / SETTINGS_NAME).write_text(self.settings, encoding="utf-8")
        text = json.dumps(dataclasses.asdict(state), indent=1)
        (partial / STATE_NAME).write_text(text + "\n", encoding="utf-8")
        _flush(partial)
        partial.rename(final)
        _flush_entry(self.folder)
        _point_at(self.folder / LATEST_NAME, final.name)
        self._forget_old(final)
        return final

    def _forget_old(self, latest: Path) -> None:
        """Later ones than `latest` there may be, of a run that was taken back to an earlier step."""
        others = sorted(set(self.folder.glob("step-*")) - {latest})
        for old in others[: len(others) - (self.keep - 1)]:
            shutil.rmtree(old)


def latest_checkpoint(folder: Path) -> Path:
    """The newest of the checkpoints in `folder`. Raises CheckpointError if there is none."""
    pointer = folder / LATEST_NAME
    if not pointer.is_file():
        raise CheckpointError(f"{folder} holds no checkpoint: there is no file {LATEST_NAME!r} in it.")
    name = pointer.read_text(encoding="utf-8").strip()
    if Path(name).name != name:
        raise CheckpointError(f"{pointer} names {name!r:.80}, which does not lie in its folder.")
    return folder / name


def random_states(masks: torch.Generator, device: torch.device) -> dict[str, str]:
    """The states of all generators that training on `device` draws from."""
    return {name: generator_state(generator) for name, generator in _generators(masks, device).items()}


def restore_random_states(states: dict[str, str], masks: torch.Generator, device: torch.device) -> None:
    """A run that moves from CPU to GPU has no state for it and keeps the GPU's own."""
    for name, generator in _generators(masks, device).items():
        if name in states:
            restore_generator(generator, states[name])


def _generators(masks: torch.Generator, device: torch.device) -> dict[str, torch.Generator]:
    found = {"masks": masks, "torch": torch.default_generator}
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        found["cuda"] = torch.cuda.default_generators[index]  # dropout's
    return found


def generator_state(generator: torch.Generator) -> str:
    return base64.b64encode(generator.get_state().numpy().tobytes()).decode("ascii")


def restore_generator(generator: torch.Generator, state: str) -> None:
    generator.set_state(torch.frombuffer(bytearray(base64.b64decode(state)), dtype=torch.uint8))


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    names = [name for name, _ in trained_parameters(model)]
    return _contiguous(
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


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _read_state(path: Path) -> TrainState:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values.get("schema") != SCHEMA:
            raise CheckpointError(f"{path} has schema {values.get('schema')!r}; this version reads schema {SCHEMA}.")
        state = TrainState(**values | {"positions": tuple(Position(**position) for position in values["positions"])})
        restore_generator(torch.Generator(), state.random_states["masks"])  # only to see that they can be
        restore_generator(torch.Generator(), state.random_states["torch"])
        return state
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not the state of a checkpoint: {error}.") from None


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
