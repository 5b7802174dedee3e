"""Checkpoints are whole or absent, and strangers are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.loading import dump
from tests.train.small import small_model
from train.checkpoint import Checkpoint, checkpoints_in, latest_checkpoint
from train.config import TrainConfig
from train.course import Course
from train.data.order import Position
from train.data.tokenizer import Tokenizer
from train.ema import Ema
from train.errors import CannotSave, CheckpointError
from train.models.vilt import Vilt
from train.optim import make_optimizer
from train.rows import Rows
from train.saving import Weights, Writer
from train.schedule import Plateau
from train.state import SetState, TrainState


def state_at(step: int) -> TrainState:
    return TrainState(
        step=step,
        sets=(SetState(path="/somewhere", digest="d", position=Position(epoch=1, ordinal=step)),),
        rows=Rows(pairs=8, texts=4, processes=2),
        plateau=Plateau(reduced=0.5, best=1 / 3, steps=2),
        course=Course().after(0.1).after(0.7),
    )


@pytest.fixture
def writer(tmp_path: Path, config: TrainConfig, tokenizer: Tokenizer) -> Writer:
    return Writer(folder=tmp_path / "checkpoints", settings=dump(config), tokenizer=tokenizer, keep=2)


@pytest.fixture
def saved(writer: Writer, model: Vilt, config: TrainConfig) -> Path:
    optimizer = make_optimizer(model, config.optim)
    torch.autograd.backward(model.token_head.bias_V.sum())
    optimizer.step()
    return writer.save(Weights.gathered(model, optimizer, Ema(model, decay=0.5)), state_at(3))


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


def test_the_mean_of_the_weights_comes_back(
    saved: Path, model: Vilt, config: TrainConfig, tokenizer: Tokenizer
) -> None:
    ema = Ema(small_model(config.model_copy(update={"seed": 5}), tokenizer), decay=0.5)
    Checkpoint.open(saved).load_ema(ema)
    assert all(torch.equal(mean, model.get_parameter(name)) for name, mean in ema.tensors().items())


def test_a_mean_that_lacks_a_weight_is_not_used(saved: Path, model: Vilt) -> None:
    means = load_file(saved / "ema.safetensors")
    del means["norm.bias"]
    save_file(means, saved / "ema.safetensors")
    with pytest.raises(CheckpointError, match=r"ema\.safetensors holds the mean of another model's weights"):
        Checkpoint.open(saved).load_model(model, mean=True)


def test_chosen_checkpoints_are_kept_for_good(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    keeping = replace(writer, keep=1, keep_every=10)
    for step in (5, 10, 15, 20, 25):
        keeping.save(Weights.gathered(model, optimizer, None), state_at(step))
    assert sorted(path.name[-2:] for path in writer.folder.glob("step-*")) == ["10", "20", "25"]


def test_the_newest_are_kept_and_latest_names_the_last(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    for step in (1, 2, 30):
        writer.save(Weights.gathered(model, optimizer, None), state_at(step))
    assert sorted(path.name for path in writer.folder.iterdir()) == ["latest", "step-00000002", "step-00000030"]
    assert latest_checkpoint(writer.folder).name == "step-00000030"


def test_later_ones_are_left_alone_when_a_run_was_taken_back(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    for step in (10, 20, 5):  # the run was taken back to an earlier step
        writer.save(Weights.gathered(model, optimizer, None), state_at(step))
    assert latest_checkpoint(writer.folder).name == "step-00000005"
    assert sorted(path.name[-2:] for path in writer.folder.glob("step-*")) == ["05", "10", "20"]


def test_what_a_person_put_beside_checkpoints_is_left_alone(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    optimizer = make_optimizer(model, config.optim)
    (writer.folder / "step-00000001-best").mkdir(parents=True)
    for step in (1, 2, 3, 4):
        writer.save(Weights.gathered(model, optimizer, None), state_at(step))
    names = sorted(path.name for path in writer.folder.glob("step-*"))
    assert names == ["step-00000001-best", "step-00000003", "step-00000004"]


def test_a_checkpoint_that_cannot_be_written_is_told(writer: Writer, model: Vilt, config: TrainConfig) -> None:
    writer.folder.write_text("not a folder")
    with pytest.raises(CannotSave, match="The checkpoint of step 1 cannot be written"):
        writer.save(Weights.gathered(model, make_optimizer(model, config.optim), None), state_at(1))


def test_a_checkpoint_that_cannot_take_its_name_is_told(saved: Path, writer: Writer, model: Vilt) -> None:
    (saved.parent / ".latest.partial").mkdir()
    with pytest.raises(CannotSave, match="The checkpoint of step 4 cannot be written"):
        writer.save(Weights(model=model.state_dict(), optimizer={}, ema=None), state_at(4))


def test_a_kill_while_an_old_checkpoint_is_deleted_leaves_none_that_is_torn(
    saved: Path, writer: Writer, model: Vilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, **_: bool) -> None:
        (folder / "model.safetensors").unlink()
        raise KeyboardInterrupt

    last, weights = replace(writer, keep=1), Weights(model=model.state_dict(), optimizer={}, ema=None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", killed)
        last.save(weights, state_at(4))
    assert [*checkpoints_in(saved.parent)] == [4]
    last.save(weights, state_at(5))
    assert sorted(path.name for path in writer.folder.iterdir()) == ["latest", "step-00000005"]


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
    with pytest.raises(CheckpointError, match="this version reads schema 2"):
        Checkpoint.open(saved)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('"step": "3"', "step='3'"),
        ('"step": true', "step=True"),
        ('"step": -1', "step=-1"),
        ('"step": NaN', "step=nan"),
        ('"step": 9999999999999999999999', "step=9999999999999999999999"),
        ('"step": 3, "more": 1', "more=1"),
        ('"sets": []', "sets=[]"),
        ('"sets": [{"path": "/x", "digest": "d", "position": {"epoch": 0, "ordinal": -1}}]', "ordinal=-1"),
        ('"sets": [{"path": 5, "digest": "d"}]', "path=5"),
        ('"rows": {"pairs": -1}', "pairs=-1"),
        ('"rows": {"pairs": 1, "processes": 0}', "processes=0"),
        ('"rows": null', "rows=None"),
        ('"course": {"first": 1e999}', "first=inf"),
        ('"plateau": {"reduced": 0}', "reduced=0"),
    ],
)
def test_a_state_of_other_kinds_or_ranges_is_refused(saved: Path, change: str, told: str) -> None:
    path = saved / "state.json"
    values = json.loads(path.read_text())
    del values[json.loads("{" + change + "}").popitem()[0] if "more" not in change else "step"]
    path.write_text("{" + change + "," + json.dumps(values)[1:])
    with pytest.raises(CheckpointError, match="is not the state of a checkpoint") as refused:
        Checkpoint.open(saved)
    assert told in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 100_000, b'{"pad_token": {"content": "[PAD]"}}'])
@pytest.mark.parametrize("name", ["state.json", "tokenizer/tokenizer_config.json"])
def test_json_of_strangers_is_refused(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    with pytest.raises(CheckpointError):
        Checkpoint.open(saved)


def test_a_run_killed_before_it_named_its_first_checkpoint_has_one_all_the_same(saved: Path) -> None:
    (saved.parent / "latest").unlink()
    assert latest_checkpoint(saved.parent) == saved


def test_weights_of_another_geometry_are_refused(saved: Path, config: TrainConfig, tokenizer: Tokenizer) -> None:
    wider = config.model_copy(update={"model": config.model.model_copy(update={"width": 48})})
    with pytest.raises(CheckpointError, match="do not fit its settings"):
        Checkpoint.open(saved).load_model(small_model(wider, tokenizer))
