"""Several processes, started as a person starts them: by torchrun. Starting takes the longest, so they are few."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from tests.train.together import COPIES, DIES_AT, STEPS, WAYS, entangled, learnt_by_contrast
from train.batch import Batch
from train.checkpoint import Checkpoint
from train.commands.pretrain import pretrain
from train.commands.request import resume_request
from train.metrics import read_metrics
from train.runs import checkpoint_of

TOGETHER = Path(__file__).with_name("together.py")
INTERRUPTED = (
    "import signal\n"
    "from train import metrics\n"
    "log = metrics.JsonLines.log\n"
    "def log_then_interrupt(sink, step, values):\n"
    "    log(sink, step, values)\n"
    "    if step == 6: signal.raise_signal(signal.SIGINT)\n"
    "metrics.JsonLines.log = log_then_interrupt\n"
    "from train.cli import main\n"
    "main()\n"
)


def two(*words: str | Path) -> int:
    """Run a program, or a module after -m, in two processes; torchrun's exit code."""
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", "2", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, check=False, env=environment, stderr=subprocess.DEVNULL).returncode


def losses(run: Path) -> list[tuple[float, ...]]:
    lines = [tuple(value for name, value in line.items() if "loss" in name) for line in read_metrics(run)]
    return [line for line in lines if line]  # an evaluation's lines hold none


@pytest.fixture(scope="module")
def together(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    assert two(TOGETHER, folder, shards) != 0  # it kills itself at last
    assert [len(losses(folder / name)) for name in ("copies", "cut", "alike", "killed")] == [STEPS] * 3 + [DIES_AT]
    return folder


@pytest.fixture(scope="module")
def found(together: Path) -> list[dict[str, Any]]:
    """By each of the two processes."""
    return [torch.load(together / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_a_killed_run_of_two_goes_on_with_equal_losses(together: Path) -> None:
    run = together / "killed"
    assert two("-m", "train", "pretrain", "--resume", "--out", run) == 0
    assert losses(run) == losses(together / "copies")
    assert _weights(run) == _weights(together / "copies")


def test_shards_of_one_model_learn_what_copies_learn(together: Path) -> None:
    for ours, theirs in zip(losses(together / "cut"), losses(together / "copies"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    scored = [line["step"] for line in read_metrics(together / "cut") if "val/dual.text_to_image.recall@5" in line]
    assert scored == [4, 8]


def test_a_run_goes_on_with_another_number_of_processes(together: Path, tmp_path: Path) -> None:
    """Where two processes stood, one goes on: from the same place in the data, to the same weights but for rounding."""
    run = Path(shutil.copytree(together / "alike", tmp_path / "elastic"))
    (run / "checkpoints" / "latest").write_text("step-00000004\n")
    shutil.rmtree(run / "checkpoints" / f"step-{STEPS:08d}")
    pretrain(resume_request([], run, []), Console(quiet=True))
    ends = [checkpoint_of(each) for each in (run, together / "alike")]
    one, other = (json.loads((end / "state.json").read_text())["sets"] for end in ends)
    assert one == other
    for ours, theirs in zip(losses(run), losses(together / "alike"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    weights, wanted = (load_file(end / "model.safetensors") for end in ends)
    assert all(torch.allclose(weight, wanted[name], atol=1e-4) for name, weight in weights.items())


def test_two_processes_contrast_as_one_does_with_all_rows(found: list[dict[str, Any]], batch: Batch) -> None:
    for way in range(len(WAYS)):
        alone = learnt_by_contrast(entangled(batch), way)
        first, second = (each["contrasts"][way] for each in found)
        assert alone.keys() == first.keys()
        assert "log_scale" in alone
        for name, wanted in alone.items():
            assert torch.allclose(first[name], wanted, atol=1e-5), name
            assert torch.equal(first[name], second[name]), name


def test_what_processes_agree_on_is_the_same_for_all(found: list[dict[str, Any]]) -> None:
    assert [each["mean"].tolist() for each in found] == [[0.5, 3.0]] * 2
    assert [each["any"] for each in found] == [True, True]


def test_a_sharded_models_mean_is_that_of_the_whole_model(found: list[dict[str, Any]]) -> None:
    for each in found:
        assert len(each["means"]) == 4
        assert [claim for claim, holds in each["means"].items() if not holds] == []


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_after_one_step(shards: Path, tmp_path: Path) -> None:
    run, program = tmp_path / "stopped", tmp_path / "stop.py"
    program.write_text(INTERRUPTED)
    settings = [word for setting in COPIES for word in ("--set", setting)]
    two(program, "pretrain", "--shards", shards, "--out", run, *settings)
    request = resume_request([], run, [])
    assert request.resumed is not None and request.resumed.state.step == 6


@pytest.mark.slow
def test_a_wrong_request_ends_all_processes(tmp_path: Path) -> None:
    assert two("-m", "train", "pretrain", "--shards", tmp_path / "nowhere", "--out", tmp_path / "run") != 0
    assert not (tmp_path / "run").exists()


def _weights(run: Path) -> dict[str, bytes]:
    folder = Checkpoint.open(checkpoint_of(run)).folder
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
