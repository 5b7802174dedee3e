"""Checkpoints are whole or absent, and strangers are refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.loading import dump
from tests.train.small import small_model
from train.checkpoint import Checkpoint, TrainState, Writer, generator_state, latest_checkpoint, restore_generator
from train.config import TrainConfig
from train.data.order import Position
from train.data.tokenizer import Tokenizer
from train.errors import CheckpointError
from train.models.vilt import Vilt
from train.optim import make_optimizer


def state_at(step: int) -> TrainState:
    return TrainState(
        step=step,
        positions=(Position(epoch=1, ordinal=step),),
        shards="/somewhere",
        shards_digest="d",
        random_states={name: generator_state(torch.Generator().manual_seed(step)) for name in ("masks", "torch")},
    )


@pytest.fixture
def writer(tmp_path: Path, config: TrainConfig, tokenizer: Tokenizer) -> Writer:
    return Writer(folder=tmp_path / "checkpoints", settings=dump(config), tokenizer=tokenizer, keep=2)


@pytest.fixture
def saved(writer: Writer, model: Vilt, config: TrainConfig) -> Path:
    optimizer = make_optimizer(model, config.optim)
    torch.autograd.backward(model.token_head.bias_V.sum())
    optimizer.step()
    return writer.save(model, optimizer, state_at(3))


def test_what_is_saved_comes_back(saved: Path, model: Vilt, config: TrainConfig, tokenizer: Tokenizer) -> None:
    checkpoint = Checkpoint.open(saved)
    assert checkpoint.state == state_at(3)
    again = small_model(config.model_copy(update={"seed": 5}), tokenizer)
    optimizer = make_optimizer(again, config.optim)
    checkpoint.load_model(again)
    checkpoint.load_optimizer(again, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True))
    assert optimizer.state[again.token_head.bias_V]["step"].item() == 1
    assert optimizer.state[again.token_head.bias_V]["exp_avg"].any()


def test_a_generators_state_survives_as_text() -> None:
    generator, other = torch.Generator().manual_seed(4), torch.Generator()
    torch.rand(3, generator=generator)
    restore_generator(other, json.loads(json.dumps(generator_state(generator))))
    assert torch.equal(torch.rand(5, generator=other), torch.rand(5, generator=generator))


def test_the_newest_are_kept_and_latest_names_the_last(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    for step in (1, 2, 30):
        writer.save(model, optimizer, state_at(step))
    assert sorted(path.name for path in writer.folder.iterdir()) == ["latest", "step-00000002", "step-00000030"]
    assert latest_checkpoint(writer.folder).name == "step-00000030"


def test_the_one_that_latest_names_is_never_forgotten(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    for step in (10, 20, 5):  # the run was taken back to an earlier step
        writer.save(model, optimizer, state_at(step))
    assert latest_checkpoint(writer.folder).name == "step-00000005"
    assert sorted(path.name for path in writer.folder.glob("step-*")) == ["step-00000005", "step-00000020"]


@pytest.mark.parametrize(
    ("name", "tensor", "told"),
    [
        ("token_head.bias_V/exp_avg", None, "lacks its exp_avg"),
        ("token_head.bias_V/exp_avg", torch.zeros(3), "has exp_avg of shape"),
        ("nobody/exp_avg", torch.zeros(3), "which this model has not"),
    ],
)
def test_an_optimizer_that_does_not_fit_is_refused(
    saved: Path, model: Vilt, config: TrainConfig, name: str, tensor: torch.Tensor | None, told: str
) -> None:
    path = saved / "optimizer.safetensors"
    tensors = {key: value for key, value in load_file(path).items() if key != name}
    save_file(tensors if tensor is None else tensors | {name: tensor}, path)
    with pytest.raises(CheckpointError, match=told):
        Checkpoint.open(saved).load_optimizer(model, make_optimizer(model, config.optim))


def test_no_pickle_is_written(saved: Path) -> None:
    endings = {path.suffix for path in saved.rglob("*") if path.is_file()}
    assert endings == {".safetensors", ".json", ".yaml"}


@pytest.mark.parametrize(
    "torn", ["model.safetensors", "optimizer.safetensors", "tokenizer/tokenizer.json", "state.json"]
)
def test_a_torn_checkpoint_is_refused(saved: Path, model: Vilt, config: TrainConfig, torn: str) -> None:
    content = (saved / torn).read_bytes()
    (saved / torn).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError):
        checkpoint = Checkpoint.open(saved)
        checkpoint.load_model(model)
        checkpoint.load_optimizer(model, make_optimizer(model, config.optim))


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        Checkpoint.open(tmp_path)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        latest_checkpoint(tmp_path)
    (tmp_path / "latest").write_text("../../etc\n")
    with pytest.raises(CheckpointError, match="does not lie in its folder"):
        latest_checkpoint(tmp_path)


def test_another_schema_is_refused(saved: Path) -> None:
    values = json.loads((saved / "state.json").read_text())
    (saved / "state.json").write_text(json.dumps(values | {"schema": 99}))
    with pytest.raises(CheckpointError, match="this version reads schema 1"):
        Checkpoint.open(saved)


def test_weights_of_another_geometry_are_refused(saved: Path, config: TrainConfig, tokenizer: Tokenizer) -> None:
    wider = config.model_copy(update={"model": config.model.model_copy(update={"width": 48})})
    with pytest.raises(CheckpointError, match="do not fit its settings"):
        Checkpoint.open(saved).load_model(small_model(wider, tokenizer))
