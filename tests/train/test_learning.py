"""Does it learn? The commands with their defaults, on drawn scenes whose pairs of things were never seen together."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from configs.loading import load
from tests.train.scenes import write_scenes
from tests.train.test_cli import exit_code
from train.batch import Batch
from train.checkpoint import Checkpoint
from train.commands.assembly import evaluation_batches, restored_model
from train.config import TrainConfig
from train.data.source import open_source
from train.metrics import read_metrics
from train.models.vilt import Vilt
from train.objectives.masked import MaskedModeling
from train.runs import checkpoint_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/shards and a run of 300 steps."""
    folder = tmp_path_factory.mktemp("place")
    write_scenes(folder / "data" / "shards", train=850, test=96, samples_per_shard=200)
    with contextlib.chdir(folder):
        assert exit_code("pretrain", "--set", "trainer.steps=300") == 0
        assert exit_code("eval", "--task", "retrieval") == 0
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    return place / "runs" / "pretrain-001"


def test_unseen_pairs_are_found_far_above_chance_by_both_routes(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert scores["candidates"] == 96
    for route in ("dual", "fullmask"):
        for direction in ("text_to_image", "image_to_text"):
            name = f"{direction}.recall@5"
            assert scores[f"{route}.{name}"] > 8 * scores[f"chance.{name}"], f"{route}.{name}"


def test_the_losses_of_all_modes_fall(run: Path) -> None:
    lines = read_metrics(run)
    for name in (name for name in lines[0] if name.startswith("loss/")):
        early, late = lines[0][name], sum(line[name] for line in lines[-5:]) / 5
        assert late < 0.8 * early, name


def test_words_are_guessed_better_beside_the_right_image_than_beside_a_wrong_one(place: Path, run: Path) -> None:
    checkpoint = Checkpoint.open(checkpoint_of(run))
    config = load(TrainConfig, checkpoint.settings)
    model = restored_model(config, checkpoint).eval()
    source = open_source(str(place / "data" / "shards"))
    batches = evaluation_batches(source, "test", config=config, tokenizer=checkpoint.tokenizer)
    batch = next(batches)
    wrong = replace(batch, images_BCSS=batch.images_BCSS.roll(1, dims=0))
    objective = MaskedModeling(config.objective, mask_token=checkpoint.tokenizer.mask, patches=model.patches)
    # Beside other words and a quarter of the patches an image adds less than where it is all there is.
    for name, share in {"joint_text": 0.95, "hidden_text": 0.9, "hidden_text_bow": 0.8}.items():
        right_loss, wrong_loss = (_loss(objective, model, each, name) for each in (batch, wrong))
        assert right_loss < share * wrong_loss, name


@torch.no_grad()
def _loss(objective: MaskedModeling, model: Vilt, batch: Batch, name: str) -> float:
    losses = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    (value,) = (term.value.item() for term in losses.terms if term.name == name)
    return value
