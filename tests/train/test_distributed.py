"""Several processes, started as a person starts them: by torchrun."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tests.train.small import SMALL_SETTINGS
from train.checkpoint import Checkpoint
from train.commands.pretrain import pretrain
from train.commands.request import resume_request
from train.metrics import read_metrics
from train.runs import checkpoint_of

STEPS = 8
SETTINGS = (*SMALL_SETTINGS, "model.dropout=0.1", f"trainer.steps={STEPS}", "data.workers=1", "optim.ema=0.9")
DIE_AT_STEP_6 = (
    "import os, signal\n"
    "from train import metrics\n"
    "log = metrics.JsonLines.log\n"
    "def log_then_die(sink, step, values):\n"
    "    log(sink, step, values)\n"
    "    if step == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
    "metrics.JsonLines.log = log_then_die\n"
    "from train.cli import main\n"
    "main()\n"
)


def train(*words: str, settings: Sequence[str] = (), program: Path | None = None) -> int:
    started = [str(program)] if program else ["-m", "train"]
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += [*started, "pretrain", *words]
    command += [word for setting in settings for word in ("--set", setting)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, check=False, env=environment, stderr=subprocess.DEVNULL).returncode


def losses(run: Path) -> list[tuple[float, ...]]:
    return [tuple(value for name, value in line.items() if "loss" in name) for line in read_metrics(run)]


@pytest.fixture(scope="module")
def uninterrupted(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert train("--shards", str(shards), "--out", str(run), settings=SETTINGS) == 0
    assert len(losses(run)) == STEPS
    return run


def test_a_killed_run_of_two_goes_on_with_equal_losses(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run, program = tmp_path / "killed", tmp_path / "die.py"
    program.write_text(DIE_AT_STEP_6)
    assert train("--shards", str(shards), "--out", str(run), settings=SETTINGS, program=program) != 0
    assert len(losses(run)) == 6
    assert train("--resume", "--out", str(run)) == 0
    assert losses(run) == losses(uninterrupted)
    assert _weights(run) == _weights(uninterrupted)


def test_shards_of_one_model_learn_what_copies_learn(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "fsdp"
    cut = (*SETTINGS, "trainer.parallel=fsdp", "trainer.evaluate_every=4")
    assert train("--shards", str(shards), "--out", str(run), settings=cut) == 0
    found = [line for line in losses(run) if line]  # the evaluation's lines hold none
    for ours, theirs in zip(found, losses(uninterrupted), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert [line["step"] for line in read_metrics(run) if "val/dual.text_to_image.recall@5" in line] == [4, 8]


def test_a_run_goes_on_with_another_number_of_processes(uninterrupted: Path, tmp_path: Path) -> None:
    """Where two processes stood, one goes on: from the same place in the data."""
    run = tmp_path / "elastic"
    shutil.copytree(uninterrupted, run)
    (run / "checkpoints" / "latest").write_text("step-00000004\n")
    pretrain(resume_request([], run, []), Console(quiet=True))
    ends = [json.loads((checkpoint_of(each) / "state.json").read_text()) for each in (run, uninterrupted)]
    assert ends[0]["sets"] == ends[1]["sets"]
    assert losses(run)[:4] == losses(uninterrupted)[:4]
    alone, together = ([line["loss/joint_text"] for line in read_metrics(each)[4:]] for each in (run, uninterrupted))
    assert alone == pytest.approx(together, rel=0.2)  # other rows are hidden, of the same samples


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_after_one_step(shards: Path, tmp_path: Path) -> None:
    run, program = tmp_path / "stopped", tmp_path / "stop.py"
    program.write_text(
        DIE_AT_STEP_6.replace("os.kill(os.getpid(), signal.SIGKILL)", "signal.raise_signal(signal.SIGINT)")
    )
    train("--shards", str(shards), "--out", str(run), settings=SETTINGS, program=program)
    request = resume_request([], run, [])
    assert request.resumed is not None and request.resumed.state.step == 6


@pytest.mark.slow
def test_a_wrong_request_ends_all_processes(tmp_path: Path) -> None:
    assert train("--shards", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")) != 0
    assert not (tmp_path / "run").exists()


def _weights(run: Path) -> dict[str, bytes]:
    folder = Checkpoint.open(checkpoint_of(run)).folder
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
