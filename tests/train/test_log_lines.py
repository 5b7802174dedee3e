"""What a line of the log tells of the steps since the one before, and what is saved when something fails on the way."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from configs.loading import ConfigError, load
from shards.manifest import Manifest
from tests.train.small import SMALL_SETTINGS
from train.commands.pretrain import pretrain
from train.commands.request import new_request, resume_request
from train.config import TrainConfig
from train.data.order import ShuffledOrder
from train.errors import DataError
from train.metrics import read_metrics

QUIET = Console(file=io.StringIO())
STEPS = 10


def settings(*more: str) -> TrainConfig:
    return load(TrainConfig, "tiny", [*SMALL_SETTINGS, f"trainer.steps={STEPS}", *more])


def means(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    """What does not hang on the machine."""
    return [{name: value for name, value in line.items() if name.partition("/")[0] in KINDS} for line in lines]


KINDS = ("step", "loss", "accuracy", "gradient_norm", "learning_rate", "skipped_steps")


@pytest.fixture(scope="module")
def each(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """A line a step."""
    run = tmp_path_factory.mktemp("runs") / "each"
    pretrain(new_request([shards], run, settings()), QUIET)
    return read_metrics(run)


@pytest.fixture(scope="module")
def fewer(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with a line every 5 steps, and a checkpoint every 4."""
    run = tmp_path_factory.mktemp("runs") / "fewer"
    pretrain(new_request([shards], run, settings("trainer.log_every=5", "trainer.keep=3")), QUIET)
    return run


def test_a_line_is_the_mean_of_the_steps_since_the_one_before(each: list[dict[str, float]], fewer: Path) -> None:
    """One is written before each checkpoint, too."""
    lines = read_metrics(fewer)
    ends = [4, 5, 8, 10]
    assert [line["step"] for line in lines] == ends
    for line, first in zip(lines, [0, *ends], strict=False):
        of_steps = each[first : int(line["step"])]
        for name in ("loss/total", "loss/joint_image", "accuracy/contrastive", "gradient_norm"):
            assert line[name] == pytest.approx(sum(step[name] for step in of_steps) / len(of_steps), rel=1e-12), name
        assert line["learning_rate"] == of_steps[-1]["learning_rate"]


def test_lines_after_a_checkpoint_are_the_same_whether_or_not_the_run_was_stopped_there(
    fewer: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(fewer, tmp_path / "again"))
    pretrain(resume_request([], run, [], step=4), QUIET)
    assert means(read_metrics(run)) == means(read_metrics(fewer))


@pytest.fixture
def broken(shards: Path, manifest: Manifest, tmp_path: Path) -> Path:
    """The scenes with a picture that cannot be decoded among the last ones of the first epoch: step 3 reads it."""
    folder = Path(shutil.copytree(shards, tmp_path / "shards"))
    *_, last = ShuffledOrder(shards=manifest.of_split("train"), shards_per_group=4, seed=0).groups(0)
    assert last.first >= 2 * 16
    path = folder / last.shards[0].name
    path.write_bytes(path.read_bytes().replace(b"\xff\xd8\xff", b"no!", 1))
    return folder


def test_what_cannot_be_read_costs_no_step_before_it(broken: Path, shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(DataError, match="cannot be decoded"):
        pretrain(new_request([broken], run, settings("trainer.save_every=100", "trainer.log_every=100")), QUIET)
    assert [line["step"] for line in read_metrics(run)] == [2]
    request = resume_request([shards], run, [])
    assert request.resumed is not None and request.resumed.state.step == 2


def test_rows_for_which_others_stand_in_are_counted(broken: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pretrain(new_request([broken], run, settings("trainer.steps=6", "trainer.log_every=3", "data.corrupt=skip")), QUIET)
    replaced = {line["step"]: line["replaced_samples"] for line in read_metrics(run)}
    assert (replaced[3], replaced[4] + replaced[6]) == (1, 1)  # an epoch is 3 steps


def test_what_cannot_be_shown_costs_no_step_before_it(fewer: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(fewer, tmp_path / "run"))
    (run / "pictures").write_text("not a folder")
    longer = ["trainer.steps=20", "trainer.sheet_every=12", "trainer.save_every=100"]
    with pytest.raises(OSError, match="pictures"):
        pretrain(resume_request([], run, longer), QUIET)
    request = resume_request([], run, [])
    assert request.resumed is not None and request.resumed.state.step == 12


def test_a_rate_that_jumps_is_told(fewer: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = Path(shutil.copytree(fewer, tmp_path / "run"))
    pretrain(resume_request([], run, ["trainer.steps=11"]), QUIET)
    assert "trainer.steps=11 instead of 10 the learning rate after step 10 is 6.7e-05 instead of 0:" in caplog.text


def test_a_rate_that_only_rises_is_told(shards: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pretrain(new_request([shards], tmp_path / "run", settings("trainer.steps=1")), QUIET)
    assert "optim.warmup_steps=5 are not fewer than trainer.steps=1, so the learning rate only rises" in caplog.text


def test_what_is_never_saved_cannot_be_kept() -> None:
    with pytest.raises(ConfigError, match="keep_every=6 must be a multiple of save_every=4"):
        settings("trainer.keep_every=6")
