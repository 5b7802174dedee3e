"""A run that was stopped, in whatever way, goes on as if it had not been."""

import io
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file

from configs.loading import load
from tests.train.scenes import write_scenes
from tests.train.small import SMALL_SETTINGS
from tests.train.test_cli import SETTINGS, exit_code
from train.batch import Batch
from train.commands.pretrain import pretrain
from train.commands.request import new_request, resume_request
from train.config import TrainConfig
from train.errors import DataError, Diverged, RequestError, RunFolderError
from train.evaluation.base import Scores
from train.evaluation.retrieval import Retrieval
from train.metrics import JsonLines, read_metrics
from train.models.vilt import Vilt
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
    pretrain(new_request([shards], run, settings()), QUIET)
    return run


def test_the_same_request_gives_the_same_losses(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    pretrain(new_request([shards], tmp_path / "again", settings()), QUIET)
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
    request = resume_request([], run, [])
    assert request.resumed is not None and request.resumed.state.step == 8
    pretrain(request, QUIET)
    assert losses(run) == losses(uninterrupted)


def test_weights_after_a_resume_are_equal_too(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "halves"
    pretrain(new_request([shards], run, settings("trainer.save_every=5")), QUIET)
    (run / CHECKPOINTS / "latest").write_text("step-00000010\n")
    pretrain(resume_request([], run, []), QUIET)
    ends = [folder / CHECKPOINTS / f"step-{STEPS:08d}" / "model.safetensors" for folder in (run, uninterrupted)]
    assert ends[0].read_bytes() == ends[1].read_bytes()


Interrupted = Callable[[Path, int], str]


@pytest.fixture
def interrupted(
    shards: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Interrupted:
    """Trains by the command, which is interrupted so many times when it logs step 3; what it says to that."""
    log = JsonLines.log

    def train(run: Path, times: int) -> str:
        def log_then_interrupt(sink: JsonLines, step: int, values: Mapping[str, float]) -> None:
            log(sink, step, values)
            for _ in range(times if step == 3 else 0):
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(JsonLines, "log", log_then_interrupt)
        words = ["pretrain", "--shards", str(shards), "--out", str(run), "--set", "model.dropout=0.1"]
        assert exit_code(*words, *SETTINGS) == 130
        monkeypatch.undo()
        return " ".join((caplog.text + capsys.readouterr().err).split())

    return train


def test_an_interrupt_saves_and_tells_how_to_go_on(
    uninterrupted: Path, tmp_path: Path, interrupted: Interrupted
) -> None:
    run = tmp_path / "interrupted"
    told = interrupted(run, 1)
    assert "Stopping and saving; Ctrl-C again stops at once." in told
    assert f"Interrupted after step 3 of 12, which is saved. Go on with: train pretrain --resume --out {run}" in told
    assert len(losses(run)) == 3
    pretrain(resume_request([], run, []), QUIET)
    assert losses(run) == losses(uninterrupted)


def test_a_second_interrupt_stops_at_once_and_tells_what_can_be_gone_on_with(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    told = interrupted(tmp_path / "interrupted", 2)
    assert "A run that has a checkpoint goes on from it with 'train pretrain --resume'" in told
    assert not (tmp_path / "interrupted" / CHECKPOINTS).exists()


def test_a_longer_run_is_asked_for_by_a_setting(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "longer"
    pretrain(new_request([shards], run, settings("trainer.steps=4")), QUIET)
    state = pretrain(resume_request([], run, ["trainer.steps=6"]), QUIET)
    assert state.step == 6
    assert [step for step, *_ in losses(run)] == [1, 2, 3, 4, 5, 6]


def test_another_set_of_shards_is_refused(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    pretrain(new_request([shards], run, settings("trainer.steps=1")), QUIET)
    write_scenes(tmp_path / "other", train=8)
    with pytest.raises(RequestError, match="was trained on another set"):
        resume_request([tmp_path / "other"], run, [])


def test_a_set_that_was_moved_is_found_again_from_then_on(shards: Path, tmp_path: Path) -> None:
    run, old, new = tmp_path / "run", tmp_path / "old", tmp_path / "new"
    shutil.copytree(shards, old)
    pretrain(new_request([old], run, settings("trainer.steps=1")), QUIET)
    old.rename(new)
    with pytest.raises(DataError, match="say with --shards where it is now"):
        resume_request([], run, ["trainer.steps=2"])
    pretrain(resume_request([new], run, ["trainer.steps=2"]), QUIET)
    assert [source.name for source in resume_request([], run, []).sources] == [str(new)]


def test_one_checkpoint_is_not_trained_into(uninterrupted: Path) -> None:
    checkpoint = uninterrupted / CHECKPOINTS / f"step-{STEPS:08d}"
    with pytest.raises(RunFolderError, match=f"give --out {re.escape(str(uninterrupted))},"):
        resume_request([], checkpoint, [])


@pytest.mark.parametrize(
    "change",
    [
        "seed=1",
        "tokenizer.vocabulary=999",
        "model.depth=3",
        "model.dropout=0.3",
        "data.image_size=64",
        "data.text_length=20",
        "data.shards_per_group=1",
    ],
)
def test_what_a_run_hangs_on_is_not_changed_on_the_way(uninterrupted: Path, change: str) -> None:
    with pytest.raises(RequestError, match="is fixed when a run starts"):
        resume_request([], uninterrupted, [change])


def test_what_it_was_begun_with_may_be_said_again(uninterrupted: Path) -> None:
    assert resume_request([], uninterrupted, ["seed=0", "optim.lr=1e-4"]).config.optim.lr == 1e-4


def test_a_run_stopped_while_it_was_scored_makes_up_for_it(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, score = tmp_path / "stopped", Retrieval.run
    scored: list[Scores] = []

    def stop_at_the_second(task: Retrieval, model: Vilt, batches: Iterable[Batch]) -> Scores:
        if scored:
            raise KeyboardInterrupt
        scored.append(score(task, model, batches))
        return scored[-1]

    monkeypatch.setattr(Retrieval, "run", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        pretrain(new_request([shards], run, settings("trainer.evaluate_every=4")), QUIET)
    monkeypatch.undo()
    pretrain(resume_request([], run, []), QUIET)
    steps = [line["step"] for line in read_metrics(run) if "val/dual.text_to_image.recall@5" in line]
    assert steps == [4, 8, STEPS]


def test_scoring_on_the_way_without_a_val_split_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_scenes(tmp_path / "shards", train=16)
    wanted = settings("trainer.steps=2", "trainer.evaluate_every=1")
    pretrain(new_request([tmp_path / "shards"], tmp_path / "run", wanted), QUIET)
    assert caplog.text.count("trainer.evaluate_every=1 does nothing") == 1


def test_a_batch_too_small_for_a_mode_is_a_warning(
    shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pretrain(new_request([shards], tmp_path / "run", settings("trainer.steps=1", "data.batch_size=8")), QUIET)
    assert "(data.batch_size=8) are too few for the shares of text_only, image_only" in caplog.text


def test_captions_that_are_cut_are_told_once(shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pretrain(new_request([shards], tmp_path / "run", settings("trainer.steps=1", "data.text_length=6")), QUIET)
    assert caplog.text.count("of 48 captions are longer than data.text_length=6") == 1


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "diverged"
    with pytest.raises(Diverged, match="10 steps in a row had no finite gradient by step 11"):
        pretrain(new_request([shards], run, settings("optim.lr=1e30", "trainer.save_every=1")), QUIET)
    request = resume_request([], run, [])
    assert request.resumed is not None
    weights = load_file(request.resumed.folder / "model.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())


def test_the_val_split_is_scored_on_the_way_without_moving_the_losses(
    uninterrupted: Path, shards: Path, tmp_path: Path
) -> None:
    run = tmp_path / "scored"
    pretrain(new_request([shards], run, settings("trainer.evaluate_every=5")), QUIET)
    pretrain(resume_request([], run, []), QUIET)  # it is at its end and was scored there
    lines = read_metrics(run)
    scored = [line["step"] for line in lines if "val/dual.text_to_image.recall@5" in line]
    assert scored == [5, 10, STEPS]
    assert [step for step in losses(run) if len(step) > 1] == losses(uninterrupted)


def test_a_half_written_line_of_metrics_is_dropped_on_resume(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "torn"
    pretrain(new_request([shards], run, settings()), QUIET)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 13, "loss/to')
    pretrain(resume_request([], run, []), QUIET)
    assert losses(run) == losses(uninterrupted)


def test_a_run_may_go_back_to_an_earlier_checkpoint(uninterrupted: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "back"
    pretrain(new_request([shards], run, settings("trainer.keep_every=4", "trainer.keep=1")), QUIET)
    pretrain(resume_request([], run, [], step=4), QUIET)
    assert losses(run) == losses(uninterrupted)
    with pytest.raises(RunFolderError, match=r"has no checkpoint of step 5, but of: 4, 8, 12\."):
        resume_request([], run, [], step=5)


def test_what_is_learnt_may_change_on_the_way(shards: Path, tmp_path: Path) -> None:
    """Heads that no term reaches any more are frozen, and others begin to learn."""
    run = tmp_path / "run"
    pretrain(new_request([shards], run, settings("trainer.steps=4", "objective.contrastive.weight=0")), QUIET)
    without = ["trainer.steps=6", "objective.alternate=off", "objective.contrastive.weight=1"]
    state = pretrain(resume_request([], run, without), QUIET)
    assert state.course.first == pytest.approx(read_metrics(run)[4]["loss/total"])  # another loss, judged anew
    pretrain(resume_request([], run, ["trainer.steps=8", "objective.alternate=both"]), QUIET)
    assert [step for step, *_ in losses(run)] == [*range(1, 9)]
