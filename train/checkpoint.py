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
    position: Position
    shards: str  # absolute path of the set
    shards_digest: str
    random_states: dict[str, str]  # generator's name -> its state, base64
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
        tensors = _read_tensors(self.folder / "optimizer.safetensors")
        state: dict[int, dict[str, Tensor]] = {}
        for number, (name, _) in enumerate(trained_parameters(model)):
            entries = {key.rpartition("/")[2]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
            if entries:
                state[number] = entries
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
        _point_at(self.folder / LATEST_NAME, final.name)
        self._forget_old()
        return final

    def _forget_old(self) -> None:
        for old in sorted(self.folder.glob("step-*"))[: -self.keep]:
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


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _read_state(path: Path) -> TrainState:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values.get("schema") != SCHEMA:
            raise CheckpointError(f"{path} has schema {values.get('schema')!r}; this version reads schema {SCHEMA}.")
        state = TrainState(**values | {"position": Position(**values["position"])})
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
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _point_at(pointer: Path, name: str) -> None:
    partial = pointer.with_name(f".{pointer.name}.partial")
    partial.write_text(f"{name}\n", encoding="utf-8")
    partial.replace(pointer)
