"""`train export`: what others load must answer as the trained model does, without this package."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from shards.manifest import Manifest
from shards.sample import Sample
from shards.writer import write_set
from tests.train.test_cli import exit_code
from tests.train.trained import changed, frames
from train import load, runs
from train.api import Model
from train.commands.export import Request, export
from train.errors import ExportError, RequestError
from train.export import onnx
from train.export.folder import appearing
from train.models.embeddings import TextInput, shown_patches
from train.pictures import pixels_of
from train.trained import Trained

TEXTS = ["a red circle is to the left of a blue square", "a green star", "a black cross", "a square " * 12]
BLANK = "a [MASK] circle"
HIDDEN = (1, 4)  # patches, of nine

# Each program runs where no package of this project can be imported, and torchvision may not fit torch.
ALONE = """
import importlib.util, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"configs", "harvest", "shards", "train"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
try:
    import train
except ModuleNotFoundError:
    print("alone")
"""

HF_PROGRAM = """
import json, numpy, torch
from pathlib import Path
from PIL import Image

folder, without_contrast, work = map(Path, sys.argv[1:])
spec = importlib.util.spec_from_file_location("layers", folder / "layers.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))  # makes torchvision importable

from transformers import AutoImageProcessor, AutoModel, AutoProcessor, AutoTokenizer

texts, blank, hidden = json.loads((work / "asked.json").read_text())
images = [Image.open(path) for path in sorted(work.glob("*.png"))]
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
found = {}

@torch.no_grad()
def answers(model, processor):
    inputs = processor(images=images, text=texts, return_tensors="pt")
    output = model(**inputs)
    features = {
        "images": model.get_image_features(inputs["pixel_values"]),
        "texts": model.get_text_features(inputs["input_ids"], inputs["attention_mask"]),
    }
    assert torch.equal(features["images"], output.image_embeds)
    assert torch.equal(features["texts"], output.text_embeds)
    assert torch.equal(output.logits_per_image, output.logits_per_text.T)
    masks = torch.zeros(len(images), 9, dtype=torch.bool)
    masks[:, hidden] = True
    blanks = processor(images=images, text=[blank] * len(images), return_tensors="pt")
    slot = (blanks["input_ids"][0] == model.config.mask_token_id).nonzero().item()
    return inputs | features | {
        "logits_per_text": output.logits_per_text,
        "patches": model(**inputs, bool_masked_pos=masks).patches,
        "guesses": model(**blanks).logits[:, slot],
        "text_hidden": output.text_hidden_states,
    }

found = answers(model, processor)
jpegs = processor(images=[Image.open(path) for path in sorted(work.glob("*.jpg"))], return_tensors="pt")
found["jpeg_pixels"] = jpegs["pixel_values"]
assert not model.training

alone = AutoImageProcessor.from_pretrained(folder, trust_remote_code=True)(images, return_tensors="pt")
assert torch.equal(alone["pixel_values"], found["pixel_values"])
tokens = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)(texts, padding=True, truncation=True)
assert tokens["input_ids"] == found["input_ids"].tolist() and "token_type_ids" not in tokens

model.save_pretrained(work / "again"), processor.save_pretrained(work / "again")
again = answers(
    AutoModel.from_pretrained(work / "again", trust_remote_code=True),
    AutoProcessor.from_pretrained(work / "again", trust_remote_code=True),
)
assert all(torch.equal(again[name], found[name]) for name in again)

single = AutoModel.from_pretrained(without_contrast, trust_remote_code=True)
assert single(pixel_values=found["pixel_values"]).image_embeds is None
try:
    single.get_image_features(found["pixel_values"])
except ValueError as error:
    print(error)
exec((work / "example.py").read_text())
numpy.savez(work / "found.npz", **{name: tensor.numpy() for name, tensor in found.items()})
"""


def alone(program: str, *words: Path, folder: Path) -> str:
    """What `program` prints, run offline in `folder` where nothing of this project can be imported."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf-home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-IB", "-c", ALONE + program, *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("alone\n")
    return done.stdout.removeprefix("alone\n")


@pytest.fixture(scope="module")
def trained(run: Path) -> Trained:
    return Trained.load(run)


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return load(run, device="cpu")


@pytest.fixture(scope="module")
def work(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four frames, as they were stored and as PNG."""
    folder = tmp_path_factory.mktemp("work")
    for number, jpeg in enumerate(frames(shards)[:4]):
        (folder / f"{number}.jpg").write_bytes(jpeg)
        Image.open(folder / f"{number}.jpg").save(folder / f"{number}.png")
    (folder / "asked.json").write_text(json.dumps([TEXTS, BLANK, HIDDEN]))
    return folder


@pytest.fixture(scope="module")
def hf(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, evaluated and exported for transformers."""
    out = tmp_path_factory.mktemp("exports") / "hf"
    assert exit_code("eval", "--task", "retrieval", "--checkpoint", str(run)) == 0
    export(Request(to="hf", checkpoint=run, out=out))
    return out


@pytest.fixture(scope="module")
def found(run: Path, hf: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What transformers makes of the export."""
    single = changed(run, tmp_path_factory.mktemp("single"), "objective.contrastive.weight=0")
    report = export(Request(to="hf", checkpoint=single, out=None))
    (work / "example.py").write_text(card_example(hf, work))
    told = alone(HF_PROGRAM, hf, report.folder, work, folder=work)
    with np.load(work / "found.npz") as stored:
        return {"told": told, **stored}


@pytest.fixture(scope="module")
def graphs(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run exported for ONNX runtimes."""
    out = tmp_path_factory.mktemp("exports") / "onnx"
    export(Request(to="onnx", checkpoint=run, out=out))
    return out


def pngs(work: Path) -> Sequence[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(work.glob("*.png"))]


def close(ours: Tensor, theirs: NDArray[np.float32], within: float = 1e-5) -> None:
    torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=within, rtol=0)


def test_transformers_sees_the_pixels_and_pieces_that_training_saw(
    found: dict[str, Any], trained: Trained, work: Path
) -> None:
    expected = pixels_of(pngs(work), trained.config.data).numpy()
    np.testing.assert_allclose(found["pixel_values"] * 255, expected, atol=1e-4)
    pieces = trained.tokenizer.encode(TEXTS, found["input_ids"].shape[1])
    np.testing.assert_array_equal(found["input_ids"], pieces.tokens_BL.numpy())
    np.testing.assert_array_equal(found["attention_mask"], pieces.real_BL.numpy())
    assert found["input_ids"].shape[1] == trained.config.data.text_length  # the longest text was cut


def test_a_fully_decoded_jpeg_differs_by_a_few_levels_at_edges(
    found: dict[str, Any], trained: Trained, work: Path
) -> None:
    stored = pixels_of([path.read_bytes() for path in sorted(work.glob("*.jpg"))], trained.config.data).numpy()
    assert np.abs(found["jpeg_pixels"] * 255 - stored).mean() < 2


def test_transformers_embeds_and_scores_as_the_trained_model_does(
    found: dict[str, Any], model: Model, work: Path
) -> None:
    close(model.embed_images(pngs(work)), found["images"])
    close(model.embed_texts(TEXTS), found["texts"])
    close(model.scores(pngs(work), TEXTS), found["images"] @ found["texts"].T)


def test_transformers_fills_blanks_as_the_trained_model_does(
    found: dict[str, Any], model: Model, trained: Trained, work: Path
) -> None:
    for image, logits in zip(pngs(work), found["guesses"], strict=True):
        logits[list(trained.tokenizer.special)] = -np.inf
        best = model.fill(image, BLANK, best=1)[0]
        assert trained.tokenizer.pieces.decode([int(logits.argmax())]) == best.word
        assert best.probability == pytest.approx(float(np.exp(logits.max()) / np.exp(logits).sum()), abs=1e-5)


@torch.no_grad()
def test_transformers_rebuilds_patches_and_scales_scores_as_the_trained_model_does(
    found: dict[str, Any], trained: Trained
) -> None:
    model, rows = trained.model, len(found["pixel_values"])
    patches = model.patchify(torch.from_numpy(found["pixel_values"]) * 255)
    shown = torch.tensor([place for place in range(9) if place not in HIDDEN]).expand(rows, -1)
    text = TextInput(
        tokens_RL=torch.from_numpy(found["input_ids"]), real_RL=torch.from_numpy(found["attention_mask"]).bool()
    )
    encoded = model.encode(text, shown_patches(patches, shown))
    close(model.rebuild(encoded, torch.tensor(HIDDEN).expand(rows, -1)), found["patches"])
    close(model.scale() * torch.from_numpy(found["texts"] @ found["images"].T), found["logits_per_text"], within=1e-4)


def test_transformers_does_not_compare_what_was_never_contrasted(found: dict[str, Any]) -> None:
    assert "trained without contrast" in found["told"]


def test_an_export_is_the_same_bytes_every_time(run: Path, hf: Path, tmp_path: Path) -> None:
    export(Request(to="hf", checkpoint=run, out=tmp_path / "again"))
    names = sorted(path.name for path in hf.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (hf / name).read_bytes()


def card_of(folder: Path) -> tuple[dict[str, Any], str]:
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_card_says_what_the_model_is_and_learnt_from(hf: Path, run: Path, shards: Path, trained: Trained) -> None:
    front, body = card_of(hf)
    assert front["library_name"] == "transformers"
    assert "license" not in front and "The owner of this model has yet to state one" in body
    assert Manifest.load(shards).digest in body
    assert "48 samples from 48 videos" in body
    assert f"step {trained.checkpoint.state.step}" in body
    assert "weakly aligned" in body
    assert "image_size: 48" in body
    scores = json.loads((run / "scores.json").read_text())
    assert f"| text_to_image.recall@5 | {scores['text_to_image.recall@5']:.3f} |" in body
    assert f"Retrieval on the {scores['split']} split" in body


def test_the_card_passes_on_what_the_set_states(run: Path, shards: Path, tmp_path: Path) -> None:
    stated = {"language": "en", "license": "CC BY `4.0`"}
    samples = [
        Sample.make(image=jpeg, caption="a red star", video_id=f"v{number}", width=320, height=240, **stated)
        for number, jpeg in enumerate(frames(shards)[:3])
    ]
    other = write_set(tmp_path / "other", {"train": samples}, samples_per_shard=10)
    copy = changed(run, tmp_path)
    for stored in copy.glob("checkpoints/*/state.json"):
        text = stored.read_text().replace(str(shards), str(tmp_path / "other"))
        stored.write_text(text.replace(Manifest.load(shards).digest, other.digest))
    front, body = card_of(export(Request(to="hf", checkpoint=copy, out=tmp_path / "out")).folder)
    assert front["language"] == ["en"]
    assert "3 samples from 3 videos" in body
    assert "Licences as stated by the uploaders (samples): `CC BY 4.0` (3)" in body


def test_no_path_of_the_machine_is_told(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "my-secret-project"
    named = changed(run, tmp_path, f"model.start_from={secret}/vit.safetensors")
    report = export(Request(to="hf", checkpoint=named, out=tmp_path / "out"))
    told = {path.name: path.read_bytes() for path in report.folder.iterdir()}
    assert "start_from: vit.safetensors" in told["README.md"].decode()
    assert not [name for name, content in told.items() if str(tmp_path).encode() in content or b"secret" in content]


def test_a_set_that_is_gone_is_known_by_its_digest(run: Path, shards: Path, tmp_path: Path) -> None:
    moved = changed(run, tmp_path)
    for stored in moved.glob("checkpoints/*/state.json"):
        stored.write_text(stored.read_text().replace(str(shards), "/nowhere"))
    (moved / "scores.json").write_text("[]")
    report = export(Request(to="hf", checkpoint=moved, out=tmp_path / "out"))
    body = card_of(report.folder)[1]
    assert f"`{Manifest.load(shards).digest}`, which was no longer at hand" in body
    assert "not evaluated" in body


def card_example(folder: Path, work: Path) -> str:
    """The card's own lines, for a photo that is there."""
    lines = card_of(folder)[1].split("```python\n")[1].split("```")[0]
    return lines.replace("FOLDER", str(folder)).replace("photo.jpg", str(work / "0.png"))


def test_the_card_s_example_for_transformers_runs(found: dict[str, Any], work: Path, model: Model) -> None:
    assert f"tensor([[{model.score(pngs(work)[0], 'a red circle'):.4f}]]" in found["told"]


def test_the_card_s_example_for_onnx_runs(graphs: Path, work: Path, model: Model) -> None:
    printed = alone(card_example(graphs, work), folder=work)
    cosine = float(printed.strip("[]\n"))
    assert cosine == pytest.approx(model.score(pngs(work)[0], "a red circle"), abs=0.01)  # PIL rounds otherwise


def session(graphs: Path, name: str) -> Callable[[dict[str, Tensor]], NDArray[np.float32]]:
    opened = onnxruntime.InferenceSession(graphs / f"{name}.onnx", providers=["CPUExecutionProvider"])

    def answer(inputs: dict[str, Tensor]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = opened.run(None, {key: value.numpy() for key, value in inputs.items()})[0]
        return found

    return answer


def test_the_graphs_answer_as_the_trained_model_does(graphs: Path, model: Model, trained: Trained, work: Path) -> None:
    images, texts = session(graphs, "image_encoder"), session(graphs, "text_encoder")
    for count in (1, 4):
        pixels = pixels_of(pngs(work)[:count], trained.config.data)
        close(model.embed_images(pngs(work)[:count]), images({"pixel_values": pixels / 255}))
        for length in (14, 5):
            pieces = trained.tokenizer.encode(["a red star"] * count, length)
            inputs = {"input_ids": pieces.tokens_BL, "attention_mask": pieces.real_BL.long()}
            close(model.embed_texts(["a red star"] * count), texts(inputs))


def test_a_graph_tells_what_it_takes(graphs: Path) -> None:
    facts = json.loads((graphs / "preprocessing.json").read_text())
    opened = onnxruntime.InferenceSession(graphs / "image_encoder.onnx", providers=["CPUExecutionProvider"])
    assert {key: json.loads(value) for key, value in opened.get_modelmeta().custom_metadata_map.items()} == facts
    assert facts["image_size"] == 48 and facts["pixel_range"] == "0..1"
    assert card_of(graphs)[0]["library_name"] == "onnxruntime"


def test_a_graph_that_answers_otherwise_is_refused(graphs: Path, run: Path) -> None:
    other = Trained.load(run)
    with torch.no_grad():
        other.model.image_projection.linear.weight[0] += 0.1
    with pytest.raises(ExportError, match=r"image_encoder\.onnx differs from the model by up to"):
        onnx.check(onnx.graphs(other)[0], graphs / "image_encoder.onnx")


def test_a_missing_package_names_its_extra(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RequestError, match=r"harvest-train\[onnx\]"):
        export(Request(to="onnx", checkpoint=run, out=tmp_path / "out"))
    assert [*tmp_path.iterdir()] == []


def test_encoders_that_were_never_contrasted_are_not_exported(run: Path, tmp_path: Path) -> None:
    single = changed(run, tmp_path, "objective.contrastive.weight=0")
    with pytest.raises(RequestError, match="trained without contrast"):
        export(Request(to="onnx", checkpoint=single, out=tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["changed"]


def test_an_export_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), appearing(tmp_path / "out") as folder:
        (folder / "half").write_text("")
        raise ZeroDivisionError
    assert [*tmp_path.iterdir()] == []
    with appearing(tmp_path / "deep" / "out") as folder:
        (folder / "all").write_text("")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_what_is_in_the_way_is_kept(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for out in (tmp_path, tmp_path / "mine"):
        with pytest.raises(RequestError, match="is not empty"):
            export(Request(to="hf", checkpoint=run, out=out))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine", "mine")]


def test_the_command_tells_how_to_load_what_it_wrote(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert exit_code("export", "--to", "hf", "--checkpoint", str(run), "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert "model.safetensors" in said
    assert f'AutoModel.from_pretrained("{out}", trust_remote_code=True)' in said
    assert exit_code("export", "--to", "hf", "--checkpoint", str(run), "--out", str(out)) == 2
    assert "is not empty" in capsys.readouterr().err
    assert exit_code("export", "--to", "stone", "--checkpoint", str(run)) == 2
    assert "choose one of hf, onnx" in " ".join(capsys.readouterr().err.split())


def test_a_run_s_own_folder_is_the_place_unless_another_is_named(run: Path, tmp_path: Path) -> None:
    copy = changed(run, tmp_path)
    report = export(Request(to="hf", checkpoint=runs.checkpoint_of(copy), out=None))
    assert report.folder == copy / "export-hf"
