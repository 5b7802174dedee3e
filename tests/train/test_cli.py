"""The command `train` as a person meets it: defaults, tables, refusals."""

import contextlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from configs.loading import dump, load
from tests.train.scenes import write_scenes
from tests.train.small import SMALL_SETTINGS
from train.cli import main
from train.commands.evaluate import TASKS
from train.config import TrainConfig
from train.errors import TrainError
from train.evaluation.routes import ROUTES
from train.metrics import JsonLines, read_metrics

SETTINGS = [word for setting in SMALL_SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def place(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/shards, where one run has been trained and evaluated with the commands' defaults."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(shards, folder / "data" / "shards")
    with contextlib.chdir(folder):
        assert exit_code("pretrain", *SETTINGS) == 0
        assert exit_code("eval", "--task", "retrieval") == 0
    return folder


def exit_code(*words: str) -> int:
    """Run `train` as the installed command does."""
    before, sys.argv = sys.argv, ["train", *words]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    finally:
        sys.argv = before
    raise AssertionError("a command ends by leaving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command printed."""

    out: str
    err: str


Train = Callable[..., Said]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path) -> Train:
    """Runs `train` in the place, or in `folder`, and holds it to its exit code."""

    def run(*words: str, code: int = 0, folder: Path = place) -> Said:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "120")
        capsys.readouterr()
        assert exit_code(*words) == code
        printed = capsys.readouterr()
        return Said(out=" ".join(printed.out.split()), err=" ".join(printed.err.split()))

    return run


def refusal(train: Train, *words: str, folder: Path | None = None) -> str:
    """What `train` says when it refuses a request: one sentence, and exit code 2."""
    said = (train(*words, code=2, folder=folder) if folder else train(*words, code=2)).err
    assert said.startswith("Error: ")
    return said


def test_the_defaults_lead_from_shards_to_scores(place: Path) -> None:
    run = place / "runs" / "pretrain-001"
    assert {"config.yaml", "versions.json", "metrics.jsonl", "scores.json", "retrieval.png"} <= {
        path.name for path in run.iterdir()
    }
    scores = json.loads((run / "scores.json").read_text())
    assert scores["candidates"] == 12
    assert scores["split"] == "test"
    assert scores["route"] == "dual"
    assert scores["chance.recall@5"] == pytest.approx(5 / 12)
    assert scores["text_to_image.recall@5"] == scores["dual.text_to_image.recall@5"]
    assert 0 <= scores["fullmask.image_to_text.recall@10"] <= 1
    assert [line["step"] for line in read_metrics(run)] == list(range(1, 13))


def test_evaluating_twice_gives_equal_scores_and_pictures(train: Train, tmp_path: Path) -> None:
    for number in (1, 2):
        train("eval", "--task", "retrieval", "--out", str(tmp_path / str(number) / "scores.json"))
    for name in ("scores.json", "retrieval.png"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_table_shows_the_routes_asked_for_beside_chance(train: Train, tmp_path: Path) -> None:
    out = str(tmp_path / "scores.json")
    shown = train("eval", "--task", "retrieval", "--route", "fullmask", "--split", "val", "--out", out).out
    assert "fullmask" in shown and "chance" in shown and "the val split" in shown
    assert "dual" not in shown


def test_an_empty_test_split_is_replaced_with_a_warning(
    train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_scenes(tmp_path / "shards", train=8)
    out = tmp_path / "scores.json"
    train("eval", "--task", "retrieval", "--shards", str(tmp_path / "shards"), "--out", str(out))
    assert "the train split is evaluated instead" in caplog.text
    assert json.loads(out.read_text())["split"] == "train"


def changed_run(place: Path, folder: Path, *changes: str) -> Path:
    """A copy of the run that says it was trained with other settings."""
    run = Path(shutil.copytree(place / "runs" / "pretrain-001", folder / "changed"))
    for stored in run.glob("checkpoints/*/config.yaml"):
        stored.write_text(dump(load(TrainConfig, stored, changes)))
    return run


def scores_of(train: Train, run: Path, *words: str) -> dict[str, Any]:
    train("eval", "--task", "retrieval", "--checkpoint", str(run), *words)
    scores: dict[str, Any] = json.loads((run / "scores.json").read_text())
    return scores


def test_what_was_trained_on_a_gpu_is_scored_on_what_there_is(train: Train, place: Path, tmp_path: Path) -> None:
    assert scores_of(train, changed_run(place, tmp_path, "trainer.device=cuda"))["candidates"] == 12


def test_without_contrast_the_other_route_is_the_one_to_quote(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path, "objective.contrastive.weight=0")
    scores = scores_of(train, run)
    assert scores["route"] == "fullmask"
    assert not [name for name in scores if name.startswith("dual")]
    words = ("eval", "--task", "retrieval", "--checkpoint", str(run), "--route", "dual")
    assert "was not trained for the route 'dual'" in refusal(train, *words)


def test_a_model_that_never_met_hidden_text_is_not_asked_to_guess_it(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path, "objective.alternate=off")
    scores = scores_of(train, run)
    assert scores["route"] == "dual"
    assert not [name for name in scores if name.startswith("fullmask")]
    words = ("eval", "--task", "retrieval", "--checkpoint", str(run), "--route", "fullmask")
    assert "was not trained for the route 'fullmask'" in refusal(train, *words)


def test_only_the_trained_half_of_a_route_counts(train: Train, place: Path, tmp_path: Path) -> None:
    found = []
    for number, name in enumerate(("hidden_text", "hidden_text_bow", "joint_text")):
        run = changed_run(place, tmp_path / str(number), f"objective.weights.{name}=0")
        found.append([value for name, value in scores_of(train, run).items() if name.startswith("fullmask")])
    assert found[0] != found[1] and found[2] not in found[:2]


def test_a_model_that_learnt_nothing_retrieval_reads_is_one_sentence(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path, "objective.alternate=off", "objective.contrastive.weight=0")
    told = refusal(train, "eval", "--task", "retrieval", "--checkpoint", str(run))
    assert "trained for no route of retrieval" in told


def test_settings_of_another_version_are_one_sentence(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path)
    for stored in run.glob("checkpoints/*/config.yaml"):
        stored.write_text(stored.read_text() + "of_tomorrow: 1\n")
    for words in (("eval", "--task", "retrieval", "--checkpoint"), ("pretrain", "--resume", "--out")):
        assert "has settings that this version cannot use" in refusal(train, *words, str(run))


def test_what_is_asked_for_does_not_replace_the_scores_to_quote(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path)
    before = {name: (run / name).read_bytes() for name in ("scores.json", "retrieval.png")}
    train("eval", "--task", "retrieval", "--checkpoint", str(run), "--split", "train", "--route", "fullmask")
    assert {name: (run / name).read_bytes() for name in before} == before
    assert json.loads((run / "scores-train-fullmask.json").read_text())["split"] == "train"
    assert (run / "retrieval-train-fullmask.png").is_file()


def change_set(state: Path, **values: str) -> None:
    stored = json.loads(state.read_text())
    stored["sets"][0] |= values
    state.write_text(json.dumps(stored))


def test_no_route_is_asked_for_that_the_rows_of_the_run_did_not_teach(
    train: Train, place: Path, tmp_path: Path
) -> None:
    run = changed_run(place, tmp_path)
    for stored in run.glob("checkpoints/*/state.json"):
        state = json.loads(stored.read_text())
        assert state["rows"] == {"pairs": 16, "texts": 0, "images": 0, "processes": 1}
        stored.write_text(json.dumps(state | {"rows": {"pairs": 0, "texts": 16}}))
    told = refusal(train, "eval", "--task", "retrieval", "--checkpoint", str(run))
    assert "trained for no route of retrieval" in told


def test_a_set_that_changed_since_training_is_a_warning(
    train: Train, place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = changed_run(place, tmp_path)
    for stored in run.glob("checkpoints/*/state.json"):
        change_set(stored, digest="another")
    train("eval", "--task", "retrieval", "--checkpoint", str(run))
    assert "has changed since the model was trained on it" in caplog.text


def test_a_checkpoint_alone_does_not_make_this_machine_connect_to_another(
    train: Train, place: Path, tmp_path: Path
) -> None:
    run = changed_run(place, tmp_path)
    for stored in run.glob("checkpoints/*/state.json"):
        change_set(stored, path="http://169.254.169.254/latest")
    told = refusal(train, "eval", "--task", "retrieval", "--checkpoint", str(run))
    assert "trained on 'http://169.254.169.254/latest', which is not on this machine" in told
    assert "--shards" in told


def test_a_set_that_is_gone_is_asked_for(train: Train, place: Path, tmp_path: Path) -> None:
    run = changed_run(place, tmp_path)
    for stored in run.glob("checkpoints/*/state.json"):
        change_set(stored, path=str(tmp_path / "gone"))
    assert "say with --shards where it is now" in refusal(
        train, "eval", "--task", "retrieval", "--checkpoint", str(run)
    )


def test_a_diverged_run_is_one_sentence_and_exit_code_1(train: Train, tmp_path: Path) -> None:
    words = ["pretrain", *SETTINGS, "--set", "optim.lr=1e30", "--out", str(tmp_path / "run")]
    told = train(*words, code=1).err
    assert "Error: 10 steps" in told and "had no finite gradient" in told and "a bug" not in told


def test_what_fails_in_another_process_is_no_bug_of_this_one(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrainError("Process 1 on there: OSError: No space left")  # as the first is told of it

    monkeypatch.setattr(JsonLines, "log", fail)
    words = ("pretrain", "--out", str(tmp_path / "run"), *SETTINGS, "--set", "trainer.steps=1")
    told = train(*words, code=1).err
    assert told.endswith("Error: Process 1 on there: OSError: No space left")
    assert "a bug" not in told


def test_resolved_settings_are_shown(train: Train) -> None:
    shown = train("pretrain", "--show-config", "--set", "optim.lr=3e-4").out
    assert "lr: 0.0003" in shown and "image_size: 64" in shown


def test_a_taken_folder_is_refused_and_kept(train: Train, place: Path) -> None:
    before = (place / "runs" / "pretrain-001" / "metrics.jsonl").read_bytes()
    assert "--resume" in refusal(train, "pretrain", "--out", "runs/pretrain-001")
    assert (place / "runs" / "pretrain-001" / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pretrain", "--shards", "nowhere"), "There is no folder nowhere"),
        (("pretrain", "--shards", "runs"), "holds no manifest.json"),
        (("pretrain", "--set", "optim.rate=1"), "There is no setting 'optim.rate'"),
        (("pretrain", "--set", "data.image_size=65"), "must be a multiple of model.patch=16"),
        (("pretrain", "--set", "model.start_from=vit_of_nobody", "--out", "x"), "neither a .safetensors file"),
        (("pretrain", "--set", "tokenizer.source=./nothing", "--out", "y"), "cannot be loaded"),
        (("pretrain", "--resume", "--out", "data"), "data is not empty, and a new run would mix with it: shards is no"),
        (("pretrain", "--resume", "--config", "tiny"), "The setting model is fixed when a run starts"),
        (("pretrain", "--step", "4"), "give --resume with it"),
        (("pretrain", "--config", "huge"), "There are no settings named 'huge'"),
        (("eval", "--task", "juggling"), "There is no task 'juggling'"),
        (("eval", "--task", "retrieval", "--route", "back"), "There is no route 'back'"),
        (("eval", "--task", "retrieval", "--split", "exam"), "There is no split 'exam'"),
        (("eval", "--task", "retrieval", "--checkpoint", "data"), "data holds neither a run nor a checkpoint"),
        (("eval", "--task", "retrieval", "--checkpoint", "gone"), "gone does not exist"),
        (("eval", "--task", "retrieval", "--shards", "nowhere"), "There is no folder nowhere"),
    ],
)
def test_a_wrong_request_is_one_sentence(train: Train, words: tuple[str, ...], told: str) -> None:
    assert told in refusal(train, *words)


@pytest.mark.parametrize("setting", ["data.weights=[1, 2]", "trainer.accumulate=3"])
def test_rows_that_cannot_be_dealt_are_refused_before_anything_is_read(
    train: Train, place: Path, caplog: pytest.LogCaptureFixture, setting: str
) -> None:
    caplog.set_level("INFO")
    assert "data." in refusal(train, "pretrain", *SETTINGS, "--set", setting)
    assert caplog.text == ""
    assert not (place / "runs" / "pretrain-002").exists()


def test_the_same_words_start_a_run_go_on_with_it_and_leave_it_done(
    train: Train, place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run, shards = tmp_path / "job", str(place / "data" / "shards")
    words = ("pretrain", "--resume", "--out", str(run), "--shards", shards, *SETTINGS, "--set", "trainer.steps=2")
    train(*words)
    assert f"{run} holds no checkpoint yet, so the run starts there from the beginning." in caplog.text
    written = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    told = train(*words).err
    assert f"Nothing is left to train: {run} has done all trainer.steps=2 steps." in told
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == written
    train(*words, "--set", "trainer.steps=3")
    assert [line["step"] for line in read_metrics(run)] == [1, 2, 3]


def test_a_run_that_was_killed_before_its_last_step_was_shown_shows_it(
    train: Train, place: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(place / "runs" / "pretrain-001", run)
    words = ("pretrain", "--resume", "--out", str(run), "--set", "trainer.evaluate_every=500")
    assert "Trained 12 steps." in train(*words).err
    assert any(name.startswith("val/") for name in read_metrics(run)[-1])
    assert "Nothing is left to train" in train(*words).err


def test_an_empty_train_split_is_refused(train: Train, place: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "shards", train=0, test=4)
    assert "The train split" in refusal(train, "pretrain", "--shards", str(tmp_path / "shards"))
    assert not (place / "runs" / "pretrain-002").exists()


def test_without_any_run_there_is_nothing_to_evaluate_or_resume(train: Train, tmp_path: Path) -> None:
    for words in (("eval", "--task", "retrieval"), ("pretrain", "--resume")):
        assert "There is no run with a checkpoint under runs" in refusal(train, *words, folder=tmp_path)


def test_the_help_names_every_task_and_route(train: Train) -> None:
    told = train("eval", "--help").out
    assert all(name in told for name in (*TASKS, *ROUTES))
