"""Does it learn? The commands with their defaults, on drawn scenes whose pairs of things were never seen together."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.makers.drawing import COLOURS, SHAPES
from tests.train.scenes import write_scenes
from tests.train.test_cli import exit_code
from train.batch import Batch
from train.commands.assembly import evaluation_batches
from train.data.source import open_source
from train.metrics import read_metrics
from train.models.embeddings import TextInput, whole_image
from train.objectives.masked import MaskedModeling
from train.trained import Trained

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


def test_hidden_words_are_guessed_by_the_image(place: Path, run: Path) -> None:
    """On the same masks: with the image that was described, with another, and with none."""
    trained = Trained.load(run)
    batch = held_out(place, trained)
    wrong = batch.images_BCSS.roll(1, dims=0)
    right_share, wrong_share, no_share = (
        guessed(trained, batch, images) for images in (batch.images_BCSS, wrong, None)
    )
    assert right_share > wrong_share + 0.15
    assert right_share > no_share + 0.15


def test_all_terms_of_text_are_lower_beside_the_right_image_than_beside_a_wrong_one(place: Path, run: Path) -> None:
    trained = Trained.load(run)
    batch = held_out(place, trained)
    wrong = replace(batch, images_BCSS=batch.images_BCSS.roll(1, dims=0))
    # Beside other words and a quarter of the patches an image adds less than where it is all there is.
    for name, share in {"joint_text": 0.95, "hidden_text": 0.9, "hidden_text_bow": 0.8}.items():
        right_loss, wrong_loss = (loss_of(trained, each, name) for each in (batch, wrong))
        assert right_loss < share * wrong_loss, name


def held_out(place: Path, trained: Trained) -> Batch:
    source = open_source(str(place / "data" / "shards"))
    return next(evaluation_batches(source, "test", config=trained.config, tokenizer=trained.tokenizer))


@torch.no_grad()
def guessed(trained: Trained, batch: Batch, images_BCSS: Tensor | None) -> float:
    """Share of hidden colours and shapes that are guessed, half of all words being hidden."""
    model, hidden_BL = trained.model, batch.real_BL.clone()
    hidden_BL[:, 0] = False
    hidden_BL &= torch.rand(hidden_BL.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    tokens_BL = batch.tokens_BL.masked_fill(hidden_BL, trained.tokenizer.mask)
    image = None if images_BCSS is None else whole_image(model.patchify(images_BCSS))
    encoded = model.encode(TextInput(tokens_RL=tokens_BL, real_RL=batch.real_BL), image)
    assert encoded.text_RLD is not None
    right_BL = model.token_logits(encoded.text_RLD).argmax(dim=-1) == batch.tokens_BL
    told = trained.tokenizer.encode([" ".join([*COLOURS, *SHAPES])], 64)
    shown_BL = hidden_BL & torch.isin(batch.tokens_BL, told.tokens_BL[told.begins_BL])
    return right_BL[shown_BL].float().mean().item()


@torch.no_grad()
def loss_of(trained: Trained, batch: Batch, name: str) -> float:
    config, model = trained.config.objective, trained.model
    objective = MaskedModeling(config, mask_token=trained.tokenizer.mask, patches=model.patches)
    losses = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    (value,) = (term.value.item() for term in losses.terms if term.name == name)
    return value
