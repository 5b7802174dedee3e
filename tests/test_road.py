"""The whole road: a playlist line in, falling losses and retrieval scores out, by the four commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harvest.folder import finished_ids
from tests.makers import MediaLink, MediaServer, Scene, Truth, VideoStyle, draw_fact, plan_lessons, say, write_video

SETTINGS = ("trainer.steps=20", "trainer.log_every=5", "data.batch_size=12", "data.workers=0")


def run(*words: str | Path, cwd: Path) -> str:
    name, *arguments = map(str, words)
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Six facts, each said over its picture."""
    facts = plan_lessons()[0].facts[:6]
    scenes = [
        Scene(picture=draw_fact(fact, seed=number, background=number), speech=say(fact.phrases))
        for number, fact in enumerate(facts)
    ]
    path = tmp_path_factory.mktemp("media") / "lesson.mp4"
    return path, write_video(path, scenes, VideoStyle())


def test_a_playlist_line_becomes_retrieval_scores(lesson: tuple[Path, Truth], tmp_path: Path) -> None:
    media, truth = lesson
    with MediaServer([MediaLink(name="lesson.mp4", file=media, title="Lesson")]) as server:
        (tmp_path / "urls.txt").write_text(f"{server.playlist_url}\n", encoding="utf-8")
        run("harvest", "collect", "--playlist", "urls.txt", "--set", "source.allow_private=true", cwd=tmp_path)
    assert len(finished_ids(tmp_path / "data" / "work")) == 1

    run("harvest", "shard", "--set", "shard.split_shares=[1,0,0]", cwd=tmp_path)
    manifest = json.loads((tmp_path / "data" / "shards" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["shards"][0]["samples"] == len(truth.scenes)

    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    run("train", "pretrain", "--shards", "data/shards", *settings, cwd=tmp_path)
    (folder,) = (tmp_path / "runs").glob("pretrain-*")
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert logged[-1]["loss/total"] < logged[0]["loss/total"]

    run("train", "eval", "--task", "retrieval", cwd=tmp_path)
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert scores["candidates"] == len(truth.scenes)
    assert 0 <= scores["text_to_image.recall@5"] <= 1
    assert scores["chance.recall@5"] == pytest.approx(5 / len(truth.scenes))
