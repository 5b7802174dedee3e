"""The command `train` as a person meets it: defaults, tables, refusals."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.scenes import write_scenes
from tests.train.small import SMALL_SETTINGS
from train.metrics import read_metrics

SETTINGS = [word for setting in SMALL_SETTINGS for word in ("--set", setting)]


def train(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `train` in `folder`, and hold it to its exit code."""
    program = "from train.cli import main; main()"
    environment = os.environ | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def sentence(folder: Path, *words: str) -> str:
    """What `train` says when it refuses a request."""
    said = train(folder, *words, code=2).stderr.strip()
    assert said.startswith("Error: ")
    assert "Traceback" not in said
    return " ".join(said.split())


@pytest.fixture(scope="module")
def place(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/shards, where one run has been trained and evaluated with the commands' defaults."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(shards, folder / "data" / "shards")
    train(folder, "pretrain", *SETTINGS)
    train(folder, "eval", "--task", "retrieval")
    return folder


def test_the_defaults_lead_from_shards_to_scores(place: Path) -> None:
    run = place / "runs" / "pretrain-001"
    assert {"config.yaml", "versions.json", "metrics.jsonl", "scores.json", "retrieval.png"} <= set(os.listdir(run))
    scores = json.loads((run / "scores.json").read_text())
    assert scores["candidates"] == 12
    assert scores["split"] == "test"
    assert scores["route"] == "dual"
    assert scores["chance.recall@5"] == pytest.approx(5 / 12)
    assert scores["text_to_image.recall@5"] == scores["dual.text_to_image.recall@5"]
    assert 0 <= scores["fullmask.image_to_text.recall@10"] <= 1
    assert [line["step"] for line in read_metrics(run)] == list(range(1, 13))


def test_evaluating_twice_gives_equal_scores_and_pictures(place: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        train(place, "eval", "--task", "retrieval", "--out", str(tmp_path / str(number) / "scores.json"))
    for name in ("scores.json", "retrieval.png"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_table_shows_the_routes_asked_for_beside_chance(place: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "scores.json")
    shown = train(place, "eval", "--task", "retrieval", "--route", "fullmask", "--split", "val", "--out", out).stdout
    assert "fullmask" in shown and "chance" in shown and "the val split" in shown
    assert "dual" not in shown


def test_an_empty_test_split_is_replaced_with_a_warning(place: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "shards", train=8)
    out = tmp_path / "scores.json"
    told = train(place, "eval", "--task", "retrieval", "--shards", str(tmp_path / "shards"), "--out", str(out)).stderr
    assert "the train split is evaluated instead" in " ".join(told.split())
    assert json.loads(out.read_text())["split"] == "train"


def test_resolved_settings_are_shown(place: Path) -> None:
    shown = train(place, "pretrain", "--show-config", "--set", "optim.lr=3e-4").stdout
    assert "lr: 0.0003" in shown and "image_size: 64" in shown


def test_a_taken_folder_is_refused_and_kept(place: Path) -> None:
    before = (place / "runs" / "pretrain-001" / "metrics.jsonl").read_bytes()
    assert "--resume" in sentence(place, "pretrain", "--out", "runs/pretrain-001")
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
        (("pretrain", "--resume", "--out", "data"), "data holds neither a run nor a checkpoint"),
        (("pretrain", "--resume", "--config", "tiny"), "keeps its own settings"),
        (("pretrain", "--config", "huge"), "There are no settings named 'huge'"),
        (("eval", "--task", "juggling"), "There is no task 'juggling'"),
        (("eval", "--task", "retrieval", "--route", "back"), "There is no route 'back'"),
        (("eval", "--task", "retrieval", "--split", "exam"), "There is no split 'exam'"),
        (("eval", "--task", "retrieval", "--checkpoint", "data"), "data holds neither a run nor a checkpoint"),
        (("eval", "--task", "retrieval", "--checkpoint", "gone"), "gone does not exist"),
        (("eval", "--task", "retrieval", "--shards", "nowhere"), "There is no folder nowhere"),
    ],
)
def test_a_wrong_request_is_one_sentence(place: Path, words: tuple[str, ...], told: str) -> None:
    assert told in sentence(place, *words)


def test_an_empty_train_split_is_refused(place: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "shards", train=0, test=4)
    assert "The train split" in sentence(place, "pretrain", "--shards", str(tmp_path / "shards"))
    assert not (place / "runs" / "pretrain-002").exists()


def test_without_any_run_there_is_nothing_to_evaluate_or_resume(tmp_path: Path) -> None:
    for words in (("eval", "--task", "retrieval"), ("pretrain", "--resume")):
        assert "There is no run with a checkpoint under runs" in sentence(tmp_path, *words)
