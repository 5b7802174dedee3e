"""The Python face of a trained model: `from train import load`."""

import contextlib
import inspect
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import train
from shards.manifest import Manifest
from shards.reader import read_shard
from tests.makers.drawing import COLOURS, SHAPES
from tests.train.trained import changed, frames
from train import load
from train.api import Model
from train.commands import evaluate
from train.config import TrainConfig
from train.errors import CheckpointError, DataError, RequestError, RunFolderError
from train.pictures import Picture

CAPTIONS = ["a red circle is to the left of a blue square", "a green star", "a black cross is above a red circle"]


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return load(run, device="cpu")


@pytest.fixture(scope="module")
def jpegs(shards: Path) -> list[bytes]:
    return frames(shards)


def test_the_example_of_the_package_runs_as_it_stands(run: Path, jpegs: list[bytes], tmp_path: Path) -> None:
    text = inspect.getdoc(train) or ""
    example = "\n".join(line.removeprefix("    ") for line in text.splitlines() if line.startswith("    "))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "pretrain-001").symlink_to(run)
    for name, jpeg in zip(("kitchen.jpg", "garden.jpg"), jpegs, strict=False):
        (tmp_path / name).write_bytes(jpeg)
    assert "model.score(" in example
    with contextlib.chdir(tmp_path):
        exec(example, {})


def test_pictures_and_texts_become_points_on_one_sphere(model: Model, jpegs: list[bytes], config: TrainConfig) -> None:
    images, texts = model.embed_images(jpegs), model.embed_texts(CAPTIONS)
    assert images.shape == (len(jpegs), config.model.shared_width)
    assert texts.shape == (len(CAPTIONS), config.model.shared_width)
    for points in (images, texts):
        assert points.dtype == torch.float32
        torch.testing.assert_close(points.norm(dim=1), torch.ones(len(points)))


def test_two_calls_are_equal_to_the_bit(model: Model, run: Path, jpegs: list[bytes]) -> None:
    for other in (model, load(run, device="cpu")):
        assert torch.equal(model.embed_images(jpegs), other.embed_images(jpegs))
        assert torch.equal(model.embed_texts(CAPTIONS), other.embed_texts(CAPTIONS))


def test_many_items_are_the_same_as_one_at_a_time(model: Model, jpegs: list[bytes]) -> None:
    many = (jpegs * 12)[:70]
    alone = torch.cat([model.embed_images(jpeg) for jpeg in many])
    torch.testing.assert_close(model.embed_images(many), alone, atol=1e-5, rtol=0)


def test_a_score_is_the_cosine_of_picture_and_text(model: Model, jpegs: list[bytes]) -> None:
    scores = model.scores(jpegs, CAPTIONS)
    assert torch.equal(scores, model.embed_images(jpegs) @ model.embed_texts(CAPTIONS).T)
    one = model.score(jpegs[2], CAPTIONS[1])
    assert math.isclose(one, scores[2, 1], abs_tol=1e-5)
    assert -1 <= one <= 1


def test_scores_rank_as_the_evaluation_does(model: Model, run: Path, shards: Path, tmp_path: Path) -> None:
    names = [shard.name for shard in Manifest.load(shards).of_split("test")]
    samples = [raw for name in names for raw in read_shard(shards / name)]
    scores = model.scores([raw.members["jpg"] for raw in samples], [raw.members["txt"].decode() for raw in samples])
    right = scores.diagonal()[None]  # of each text
    recall = ((scores > right).sum(dim=0) < 5).double().mean()
    out = tmp_path / "scores.json"
    request = evaluate.Request(
        task="retrieval", checkpoint=run, shards=str(shards), split="test", routes=("dual",), out=out
    )
    evaluate.evaluate(request)
    assert json.loads((tmp_path / "scores.json").read_text())["text_to_image.recall@5"] == pytest.approx(float(recall))


def test_a_picture_may_come_in_any_form(model: Model, jpegs: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(jpegs[0])
    as_bytes = model.embed_images(jpegs[0])
    assert torch.equal(model.embed_images(tmp_path / "one.jpg"), as_bytes)
    assert torch.equal(model.embed_images(str(tmp_path / "one.jpg")), as_bytes)
    decoded = Image.open(io.BytesIO(jpegs[0])).convert("RGB")
    stored = io.BytesIO()
    decoded.save(stored, "PNG")
    forms: list[Picture] = [decoded, np.asarray(decoded), stored.getvalue()]
    rows = [model.embed_images(form)[0] for form in forms]
    assert torch.equal(rows[0], rows[1]) and torch.equal(rows[0], rows[2])
    assert float(rows[0] @ as_bytes[0]) > 0.99  # a JPEG of its own is decoded at a smaller scale


def test_nothing_in_is_nothing_out(model: Model, config: TrainConfig) -> None:
    assert model.embed_images([]).shape == model.embed_texts([]).shape == (0, config.model.shared_width)
    assert model.scores([], CAPTIONS).shape == (0, 3)


def test_a_blank_is_filled_with_words_and_their_probabilities(model: Model, jpegs: list[bytes]) -> None:
    guesses = model.fill(jpegs[0], "a [MASK] circle", best=3)
    assert len(guesses) == 3
    assert [guess.probability for guess in guesses] == sorted((guess.probability for guess in guesses), reverse=True)
    everything = model.fill(jpegs[0], "a [MASK] circle", best=10_000)
    assert sum(guess.probability for guess in everything) == pytest.approx(1, abs=1e-4)
    words = {guess.word for guess in everything}
    assert {*COLOURS} & words and {*SHAPES} & words
    assert not {"[PAD]", "[UNK]", "[CLS]", "[MASK]", ""} & words


def test_the_picture_and_the_place_count_when_a_blank_is_filled(model: Model, jpegs: list[bytes]) -> None:
    first = model.fill(jpegs[0], "a [MASK] circle")
    assert model.fill(jpegs[1], "a [MASK] circle") != first
    assert model.fill(jpegs[0], "a red [MASK]") != first


@pytest.mark.parametrize("text", ["a red circle", "[MASK] or [MASK]"])
def test_a_text_has_one_blank(model: Model, jpegs: list[bytes], text: str) -> None:
    with pytest.raises(RequestError, match="write it once"):
        model.fill(jpegs[0], text)


def test_a_blank_beyond_what_is_read_is_refused(model: Model, jpegs: list[bytes]) -> None:
    with pytest.raises(RequestError, match="shorten it"):
        model.fill(jpegs[0], "red " * 20 + "[MASK]")


def test_a_text_that_is_cut_is_a_warning(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    long = model.embed_texts(["red " * 40, "red"])
    assert "1 of 2 texts are longer than the 14 pieces read" in caplog.text
    assert torch.equal(long, model.embed_texts(["red " * 13, "red"]))


def test_without_contrast_there_is_no_score(run: Path, jpegs: list[bytes], tmp_path: Path) -> None:
    model = load(changed(run, tmp_path, "objective.contrastive.weight=0"))
    calls = (lambda: model.embed_images(jpegs), lambda: model.embed_texts("a"), lambda: model.score(jpegs[0], "a"))
    for call in calls:
        with pytest.raises(RequestError, match="trained without contrast"):
            call()
    assert model.fill(jpegs[0], "a [MASK] circle")


def test_without_joint_text_there_is_no_filling(run: Path, jpegs: list[bytes], tmp_path: Path) -> None:
    model = load(changed(run, tmp_path, "objective.weights.joint_text=0"))
    with pytest.raises(RequestError, match="never learnt to fill in words"):
        model.fill(jpegs[0], "a [MASK] circle")


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        ("nowhere.jpg", "nowhere.jpg cannot be read"),
        (b"\xff\xd8 torn", "Image 0 cannot be decoded: it is damaged"),
        (b"no picture", "Image 0 cannot be decoded"),
        (np.zeros((4, 4), np.uint8), r"uint8 pixels \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "float32 pixels"),
        (None, "is a NoneType"),
    ],
)
def test_what_is_no_picture_is_one_sentence(model: Model, picture: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        model.embed_images([picture])  # type: ignore[list-item]


def test_what_is_no_run_is_one_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="does not exist"):
        load(tmp_path / "gone")
    copy = changed(run, tmp_path)
    for weights in copy.glob("checkpoints/*/model.safetensors"):
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load(copy)
    with pytest.raises(RequestError, match="device 'abacus' cannot be used"):
        load(run, device="abacus")


def test_one_checkpoint_may_be_meant(run: Path) -> None:
    first = min((run / "checkpoints").glob("step-*"))
    assert not torch.equal(load(first).embed_texts(CAPTIONS), load(run).embed_texts(CAPTIONS))
    assert f"step {int(first.name[5:])}" in repr(load(first))


def test_importing_the_package_does_not_wait_for_torch() -> None:
    program = "import sys, train; print(callable(train.load), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_the_settings_of_torch_stay_as_they_were(model: Model, jpegs: list[bytes]) -> None:
    before = (torch.is_grad_enabled(), torch.get_num_threads(), torch.get_rng_state())
    model.score(jpegs[0], CAPTIONS[0])
    assert torch.is_grad_enabled() == before[0]
    assert torch.get_num_threads() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
