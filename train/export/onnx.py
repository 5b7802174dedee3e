"""The image-only and the text-only encoder as ONNX graphs, each held against torch before anybody gets it.

image_encoder.onnx  pixel_values (batch, 3, S, S) float32 in 0..1         -> image_embeds (batch, E) unit vectors
text_encoder.onnx   input_ids, attention_mask (batch, length) int64       -> text_embeds (batch, E) unit vectors
tokenizer.json  tokenizer_config.json  preprocessing.json

The graphs standardise pixels themselves. What they take is written into them as metadata, too.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from train.errors import ExportError, RequestError
from train.export.tokens import write_json, write_tokenizer
from train.models.embeddings import TextInput, whole_image
from train.models.vilt import Vilt
from train.trained import Trained

TOLERANCE = 1e-4  # of a number of a unit vector
CHECKED_ROWS = (1, 5)  # batch sizes, of which neither is the one that was traced
TRACED_ROWS = 2

LOADING = """
import onnxruntime

images = onnxruntime.InferenceSession("FOLDER/image_encoder.onnx")
texts = onnxruntime.InferenceSession("FOLDER/text_encoder.onnx")
""".strip()

USAGE = """
import json, numpy, onnxruntime, tokenizers
from PIL import Image

facts = json.load(open("FOLDER/preprocessing.json"))
pieces = tokenizers.Tokenizer.from_file("FOLDER/tokenizer.json")
pieces.enable_truncation(facts["text_length"])
ids = pieces.encode("a red circle").ids
texts = onnxruntime.InferenceSession("FOLDER/text_encoder.onnx")
text = texts.run(None, {"input_ids": [ids], "attention_mask": [[1] * len(ids)]})[0]

image, size = Image.open("photo.jpg").convert("RGB"), (facts["image_size"],) * 2
width, height = image.size
side = min(width, height)
left, upper = round((width - side) / 2), round((height - side) / 2)
box = (left, upper, left + side, upper + side) if facts["fit"] == "crop" else None
pixels = numpy.asarray(image.resize(size, Image.BILINEAR, box), numpy.float32) / 255
images = onnxruntime.InferenceSession("FOLDER/image_encoder.onnx")
picture = images.run(None, {"pixel_values": pixels.transpose(2, 0, 1)[None]})[0]
print(picture @ text.T)  # the cosine
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One encoder that is to become a file."""

    name: str
    encoder: nn.Module
    inputs: Callable[[int], dict[str, Tensor]]  # random ones of so many rows
    output: str
    axes: dict[str, dict[int, str]]  # input -> its axes whose length may vary, by name


def write_onnx(folder: Path, trained: Trained) -> None:
    """Fill the empty `folder`. Raises ExportError where a graph answers otherwise than torch does."""
    _refuse_what_is_missing(trained)
    data = trained.config.data
    facts = {
        "image_size": data.image_size,
        "fit": data.fit,
        "resample": "bilinear",
        "pixel_range": "0..1",
        "text_length": data.text_length,
        "logit_scale": trained.model.scale().item(),
    }
    for graph in graphs(trained):
        _write(graph, folder / f"{graph.name}.onnx", facts)
        check(graph, folder / f"{graph.name}.onnx")
    write_tokenizer(folder, trained.tokenizer, length=data.text_length)
    write_json(folder / "preprocessing.json", facts)


def _refuse_what_is_missing(trained: Trained) -> None:
    if not trained.learnt.shared:
        raise RequestError(
            f"The model of {trained.run} was trained without contrast, so its encoders alone say nothing that could be "
            "compared: export it with --to hf, or train one with objective.contrastive.weight above 0."
        )
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise RequestError(
            f"The package {error.name} is not installed: pip install 'harvest-train[onnx]' brings it."
        ) from None


class _ImageEncoder(nn.Module):
    def __init__(self, model: Vilt) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.model.embed_images(whole_image(self.model.patchify(pixel_values * 255)))


class _TextEncoder(nn.Module):
    def __init__(self, model: Vilt) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model.embed_texts(TextInput(tokens_RL=input_ids, real_RL=attention_mask.bool()))


def graphs(trained: Trained) -> list[Graph]:
    """The two encoders of a model."""
    side, length = trained.config.data.image_size, trained.config.data.text_length
    generator = torch.Generator().manual_seed(0)

    def images(rows: int) -> dict[str, Tensor]:
        return {"pixel_values": torch.rand(rows, 3, side, side, generator=generator)}

    def texts(rows: int) -> dict[str, Tensor]:
        slots = length - rows % 3  # lengths that differ
        tokens_BL = torch.randint(trained.tokenizer.vocabulary, (rows, slots), generator=generator)
        real_B = torch.randint(1, slots + 1, (rows, 1), generator=generator)
        return {"input_ids": tokens_BL, "attention_mask": (torch.arange(slots) < real_B).long()}

    both = {0: "batch", 1: "length"}
    return [
        Graph(
            name="image_encoder",
            encoder=_ImageEncoder(trained.model),
            inputs=images,
            output="image_embeds",
            axes={"pixel_values": {0: "batch"}},
        ),
        Graph(
            name="text_encoder",
            encoder=_TextEncoder(trained.model),
            inputs=texts,
            output="text_embeds",
            axes={"input_ids": both, "attention_mask": both},
        ),
    ]


def _write(graph: Graph, path: Path, facts: Mapping[str, object]) -> None:
    inputs = graph.inputs(TRACED_ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about its own insides
        program = torch.onnx.export(
            graph.encoder.eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=[graph.output],
            dynamic_shapes=graph.axes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update({name: json.dumps(value) for name, value in facts.items()})
    program.save(path)


def check(graph: Graph, path: Path) -> None:
    """Raises ExportError where the file at `path` answers otherwise than the model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for rows in CHECKED_ROWS:
        inputs = graph.inputs(rows)
        with torch.no_grad():
            expected = graph.encoder(**inputs)
        found = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]
        apart = (torch.from_numpy(found) - expected).abs().max().item()
        if not apart < TOLERANCE:
            raise ExportError(
                f"The graph {path.name} differs from the model by up to {apart:.2g} on {rows} random rows, where "
                f"{TOLERANCE:g} is allowed, so it is of no use: another version of torch or onnx may do better."
            )
