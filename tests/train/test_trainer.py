"""What the loop does when numbers break, and when a step's rows come in parts."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file

from configs.loading import load
from tests.train.scenes import write_scenes
from tests.train.small import SMALL_SETTINGS
from train.batch import Batch
from train.commands.pretrain import pretrain
from train.commands.request import new_request, resume_request, rows_of
from train.config import TrainConfig
from train.course import Course
from train.distributed import Place
from train.errors import Diverged, RequestError
from train.metrics import read_metrics
from train.models.vilt import Vilt
from train.objectives.base import Losses, Term
from train.objectives.pretraining import Pretraining

QUIET = Console(file=io.StringIO())


def settings(*more: str) -> TrainConfig:
    return load(TrainConfig, "tiny", [*SMALL_SETTINGS, *more])


@pytest.fixture
def broken_steps(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Calls of the objective, numbered from 1, whose loss is to be no number."""
    broken: set[int] = set()
    calls: list[int] = []
    compute = Pretraining.__call__

    def call(objective: Pretraining, model: Vilt, batch: Batch, drawn: Any) -> Losses:
        calls.append(len(calls) + 1)
        losses = compute(objective, model, batch, drawn)
        if calls[-1] not in broken:
            return losses
        first, *others = losses.terms
        broke = Term(name=first.name, value=first.value * torch.nan, weight=first.weight)
        return Losses(terms=(broke, *others), accuracies=losses.accuracies)

    monkeypatch.setattr(Pretraining, "__call__", call)
    return broken


def weights_of(run: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / f"step-{step:08d}" / "model.safetensors")


def mean_of(run: Path, step: int) -> torch.Tensor:
    return load_file(run / "checkpoints" / f"step-{step:08d}" / "ema.safetensors")["image.project.weight"]


def test_a_step_whose_loss_is_no_number_is_passed_over(shards: Path, tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= {3}
    run = tmp_path / "run"
    every = settings("trainer.steps=5", "trainer.save_every=1", "trainer.keep=9")
    state = pretrain(new_request([shards], run, every), QUIET)
    assert state.step == 5
    before, after, later = (weights_of(run, step) for step in (2, 3, 4))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not all(torch.equal(after[name], later[name]) for name in after)
    assert [line["skipped_steps"] for line in read_metrics(run)] == [0, 0, 1, 0, 0]


def test_steps_passed_over_between_log_lines_are_told(shards: Path, tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= {2, 3}
    run = tmp_path / "run"
    pretrain(new_request([shards], run, settings("trainer.steps=8", "trainer.log_every=4")), QUIET)
    lines = read_metrics(run)
    assert [line["skipped_steps"] for line in lines] == [2, 0]
    assert all(0 < line[name] < 100 for line in lines for name in ("loss/total", "gradient_norm"))  # of the others


def test_steps_without_a_number_in_a_row_stop_the_run(shards: Path, tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= set(range(6, 100))
    run = tmp_path / "run"
    with pytest.raises(Diverged, match="3 steps in a row had no finite gradient by step 8"):
        pretrain(new_request([shards], run, settings("trainer.steps=50", "trainer.max_skips=3")), QUIET)
    request = resume_request([], run, [])
    assert request.resumed is not None and request.resumed.state.step == 4


def test_a_loss_that_runs_away_stops_the_run(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    hot = settings("trainer.steps=200", "optim.lr=1.0", "optim.warmup_steps=0")
    with pytest.raises(Diverged, match=r"The loss has risen from .* by step"):
        pretrain(new_request([shards], run, hot), QUIET)


def course_of(*losses: float) -> Course:
    course = Course()
    for loss in losses:
        course = course.after(loss)
    return course


def test_a_loss_that_has_fallen_to_nearly_nothing_may_double() -> None:
    assert not course_of(10.0, *[0.1] * 100, *[0.5] * 100).diverged(share=0.7)


def test_a_run_that_loses_what_it_had_learnt_has_diverged() -> None:
    ruined = course_of(25.0, *[3.3] * 100, *[24.0] * 40)
    assert ruined.diverged(share=0.7)
    assert not ruined.diverged(share=0)


def test_a_run_that_learns_nothing_has_not_diverged() -> None:
    assert not course_of(*[5.0, 5.2, 4.9] * 50).diverged(share=0.7)


def test_a_steps_rows_may_come_in_parts(shards: Path, tmp_path: Path) -> None:
    """The same samples by the same step, in half-sized passes; that they weigh the same, test_step shows."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    states = [
        pretrain(new_request([shards], run, settings("trainer.steps=4", f"trainer.accumulate={count}")), QUIET)
        for run, count in ((whole, 1), (parts, 2))
    ]
    assert states[0].positions == states[1].positions


def test_rows_that_cannot_be_dealt_evenly_are_refused() -> None:
    assert rows_of(settings("trainer.accumulate=2"), Place(world=4)) == 2
    with pytest.raises(RequestError, match="set it to a multiple of 6"):
        rows_of(settings("trainer.accumulate=2"), Place(world=3))


def test_the_mean_of_the_weights_is_kept_beside_them(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    every = settings("trainer.steps=6", "trainer.save_every=1", "trainer.keep=9", "optim.ema=0.9")
    pretrain(new_request([shards], run, every), QUIET)
    mean = mean_of(run, 1)
    for done in range(2, 7):
        decay = min(0.9, done / (9 + done))
        mean = decay * mean + (1 - decay) * weights_of(run, done)["image.project.weight"]
        assert torch.allclose(mean_of(run, done), mean, atol=1e-6)


def test_a_resumed_run_goes_on_with_the_mean(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pretrain(new_request([shards], run, settings("trainer.steps=6", "trainer.save_every=3", "optim.ema=0.9")), QUIET)
    mean = run / "checkpoints" / "step-00000006" / "ema.safetensors"
    wanted = mean.read_bytes()
    (run / "checkpoints" / "latest").write_text("step-00000003\n")
    mean.unlink()
    pretrain(resume_request([], run, []), QUIET)
    assert mean.read_bytes() == wanted


def test_several_sets_are_read_side_by_side(shards: Path, tmp_path: Path) -> None:
    """And a run on them goes on where it was in each."""
    write_scenes(tmp_path / "more", train=30)
    both = [shards, tmp_path / "more" / "train-*.tar"]
    halves = settings("trainer.steps=6", "trainer.save_every=3", "data.weights=[1, 1]")
    whole, again = tmp_path / "runs" / "whole", tmp_path / "runs" / "again"
    state = pretrain(new_request(both, whole, halves), QUIET)
    assert [each.position.ordinal + 48 * each.position.epoch for each in state.sets[:1]] == [6 * 8]
    assert [each.position.ordinal + 30 * each.position.epoch for each in state.sets[1:]] == [6 * 8]
    shutil.copytree(whole, again)
    (again / "checkpoints" / "latest").write_text("step-00000003\n")
    pretrain(resume_request([], again, []), QUIET)
    assert weights_of(again, 6).keys() == weights_of(whole, 6).keys()
    assert all(torch.equal(weight, weights_of(again, 6)[name]) for name, weight in weights_of(whole, 6).items())
    with pytest.raises(RequestError, match=r"was trained on 2 set\(s\), and 1 are given"):
        resume_request([shards], again, [])


def test_sheets_are_drawn_on_the_way(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pretrain(new_request([shards], run, settings("trainer.steps=4", "trainer.sheet_every=2")), QUIET)
    sheets = sorted((run / "pictures").glob("*.png"))
    assert [path.name for path in sheets] == ["sheet-00000002.png", "sheet-00000004.png"]
    for path in sheets:
        with Image.open(path) as sheet:
            assert sheet.width > 300


def test_the_log_tells_speed_memory_and_arithmetic(shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pretrain(new_request([shards], run, settings("trainer.steps=3")), QUIET)
    line = read_metrics(run)[-1]
    figures = (
        "samples_per_second",
        "data_wait_share",
        "model_tflops",
        "peak_memory_gb",
        "gradient_norm",
        "learning_rate",
    )
    assert all(line[name] > 0 for name in figures)
    assert 0 <= line["data_wait_share"] < 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch's compiler has some
def test_compiled_blocks_learn_what_plain_ones_learn(shards: Path, tmp_path: Path) -> None:
    plain, compiled = tmp_path / "plain", tmp_path / "compiled"
    one_mode = ("trainer.steps=4", "objective.alternate=off", "objective.contrastive.weight=0")
    pretrain(new_request([shards], plain, settings(*one_mode)), QUIET)
    pretrain(new_request([shards], compiled, settings(*one_mode, "trainer.compile=true")), QUIET)
    found, wanted = ([line["loss/total"] for line in read_metrics(run)] for run in (compiled, plain))
    assert found == pytest.approx(wanted, rel=1e-5)
