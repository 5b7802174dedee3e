"""A checkpoint: a folder that is either whole or absent, without a pickle in it.

    step-00000500/  model.safetensors  optimizer.safetensors  ema.safetensors (if there is a mean of the weights)
                    tokenizer/  config.yaml  state.json (written last)

It is written under a temporary name and renamed. `latest` beside it is a one-line file that names the newest one.
Tensors are whole, however many processes trained them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from train.data.tokenizer import Tokenizer
from train.ema import Ema
from train.errors import CheckpointError
from train.optim import trained_parameters
from train.parallel import cut_like
from train.state import TrainState, read_state

LATEST_NAME = "latest"
STATE_NAME = "state.json"
MODEL_NAME = "model.safetensors"
OPTIMIZER_NAME = "optimizer.safetensors"
EMA_NAME = "ema.safetensors"
SETTINGS_NAME = "config.yaml"
TOKENIZER_NAME = "tokenizer"


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
        state = read_state(folder / STATE_NAME)
        return cls(folder=folder, tokenizer=Tokenizer.load(folder / TOKENIZER_NAME), state=state)

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
        path = self.folder / OPTIMIZER_NAME
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


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read, so this checkpoint is damaged: {error}.") from None
