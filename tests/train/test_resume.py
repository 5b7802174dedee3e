"""A run that was stopped, in whatever way, goes on as if it had not been."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file

from configs.loading import load
from tests.train.scenes import write_scenes
from tests.train.small import SMALL_SETTINGS
from train.commands.pretrain import pretrain
from train.commands.request import new_request, resume_request
from train.config import TrainConfig
from train.errors import Diverged, RequestError
from train.metrics import read_metrics
from train.runs import CHECKPOINTS

QUIET = Console(file=io.StringIO())
STEPS = 12


def settings(*more: str) -> TrainConfig:
    # Dropout, so that torch's own generator is put to the test too.
    return load(TrainConfig, "tiny", [*SMALL_SETTINGS, "model.dropout=0.1", *more])


def losses(run: Path) -> list[tuple[float, ...]]:
    """Step and every loss, as logged."""
    return [
        tuple(value for name, value in line.items() if "loss" in name or name == "step") for line in read_metrics(run)
    ]


@pytest.fixture(scope="module")
def uninterrupted(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(new_request(shards, run, settings()), QUIET)
    return run


def test_the_same_request_gives_the_same_losses(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(new_request(shards, tmp_path / "again", settings()), QUIET)
    assert losses(tmp_path / "again") == losses(uninterrupted)
    assert len(losses(uninterrupted)) == STEPS


def test_a_killed_run_goes_on_with_equal_losses(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    words = ["pretrain", "--shards", str(shards), "--out", str(run), "--set", "model.dropout=0.1"]
    words += [word for setting in SMALL_SETTINGS for word in ("--set", setting)]
    # The process is killed by itself, between two saves: no moment has to be guessed.
    program = (
        "import os, signal\n"
        "from train import metrics\n"
        "log = metrics.JsonLines.log\n"
        "def log_then_die(sink, step, values):\n"
        "    log(sink, step, values)\n"
        "    if step == 10: os.kill(os.getpid(), signal.SIGKILL)\n"
        "metrics.JsonLines.log = log_then_die\n"
        "from train.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, *words], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(losses(run)) == 10
    request = resume_request(None, run, [])
    assert request.resumed is not None and request.resumed.state.step == 8
    pretrain(request, QUIET)
    assert losses(run) == losses(uninterrupted)


def test_weights_after_a_resume_are_equal_too(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "halves"
    pretrain(new_request(shards, run, settings("trainer.save_every=5")), QUIET)
    (run / CHECKPOINTS / "latest").write_text("step-00000010\n")
    pretrain(resume_request(None, run, []), QUIET)
    ends = [folder / CHECKPOINTS / f"step-{STEPS:08d}" / "model.safetensors" for folder in (run, uninterrupted)]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def test_an_interrupt_saves_and_tells_how_to_go_on(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "interrupted"
    words = ["pretrain", "--shards", str(shards), "--out", str(run), "--set", "model.dropout=0.1"]
    words += [word for setting in SMALL_SETTINGS for word in ("--set", setting)]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", "from train.cli import main; main()", *words],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if "step 3 of 12" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert f"train pretrain --resume --out {run}" in " ".join(told.split())
    assert 3 <= len(losses(run)) < STEPS
    pretrain(resume_request(None, run, []), QUIET)
    assert losses(run) == losses(uninterrupted)


def test_a_longer_run_is_asked_for_by_a_setting(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "longer"
    pretrain(new_request(shards, run, settings("trainer.steps=4")), QUIET)
    state = pretrain(resume_request(None, run, ["trainer.steps=6"]), QUIET)
    assert state.step == 6
    assert [step for step, *_ in losses(run)] == [1, 2, 3, 4, 5, 6]


def test_another_set_of_shards_is_refused(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    pretrain(new_request(shards, run, settings("trainer.steps=1")), QUIET)
    write_scenes(tmp_path / "other", train=8)
    with pytest.raises(RequestError, match="was trained on another set"):
        resume_request(tmp_path / "other", run, [])


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "diverged"
    with pytest.raises(Diverged, match=r"is not a number (at|after) step"):
        pretrain(new_request(shards, run, settings("optim.lr=1e30", "trainer.save_every=1")), QUIET)
    request = resume_request(None, run, [])
    assert request.resumed is not None
    weights = load_file(request.resumed.folder / "model.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())


def test_the_val_split_is_scored_on_the_way_without_moving_the_losses(
    uninterrupted: Path, shards: Path, tmp_path: Path
) -> None:
    run = tmp_path / "scored"
    pretrain(new_request(shards, run, settings("trainer.evaluate_every=5")), QUIET)
    lines = read_metrics(run)
    scored = [line["step"] for line in lines if "val/dual.text_to_image.recall@5" in line]
    assert scored == [5, 10, STEPS]
    assert [step for step in losses(run) if len(step) > 1] == losses(uninterrupted)


def test_a_half_written_line_of_metrics_is_dropped_on_resume(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "torn"
    pretrain(new_request(shards, run, settings()), QUIET)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 13, "loss/to')
    pretrain(resume_request(None, run, []), QUIET)
    assert losses(run) == losses(uninterrupted)
