"""A folder that transformers loads: weights, settings, tokenizer, processor, and the code that goes with them.

config.json  model.safetensors  tokenizer.json  tokenizer_config.json  preprocessor_config.json  processor_config.json
*_harvest_vilt.py and the model's own files (see `sources`)

Written without transformers, which is only needed to load it.
"""

from importlib.metadata import version
from pathlib import Path

from safetensors.torch import save_file

from train.export.sources import carried_sources
from train.export.tokens import write_json, write_tokenizer
from train.trained import Trained

INSIDE = "vilt."  # the name of the trained model inside the one that transformers sees
PRIVATE = {"start_from", "text_from"}  # where weights came from on the machine that trained: nobody else's business

LOADING = """
from transformers import AutoModel, AutoProcessor

processor = AutoProcessor.from_pretrained("FOLDER", trust_remote_code=True)
model = AutoModel.from_pretrained("FOLDER", trust_remote_code=True)
""".strip()

USAGE = """
from PIL import Image
from transformers import AutoModel, AutoProcessor

processor = AutoProcessor.from_pretrained("FOLDER", trust_remote_code=True)
model = AutoModel.from_pretrained("FOLDER", trust_remote_code=True).eval()

inputs = processor(images=[Image.open("photo.jpg")], text=["a red circle"], return_tensors="pt")
images = model.get_image_features(inputs["pixel_values"])  # unit vectors
texts = model.get_text_features(inputs["input_ids"], inputs["attention_mask"])
print(images @ texts.T)  # cosines
""".strip()


def write_hf(folder: Path, trained: Trained) -> None:
    """Fill the empty `folder`."""
    for name, text in carried_sources().items():
        (folder / name).write_text(text, encoding="utf-8")
    weights = {f"{INSIDE}{name}": tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", _config(trained))
    data = trained.config.data
    write_tokenizer(folder, trained.tokenizer, length=data.text_length)
    images = {
        "image_processor_type": "HarvestViltImageProcessor",
        "auto_map": _auto_map(AutoImageProcessor="image_processing", AutoProcessor="processing"),
        "image_size": data.image_size,
        "fit": data.fit,
    }
    write_json(folder / "preprocessor_config.json", images)
    processor = {"processor_class": "HarvestViltProcessor", "auto_map": _auto_map(AutoProcessor="processing")}
    write_json(folder / "processor_config.json", processor)


_CLASSES = {
    "configuration": "HarvestViltConfig",
    "image_processing": "HarvestViltImageProcessor",
    "modeling": "HarvestViltModel",
    "processing": "HarvestViltProcessor",
}


def _auto_map(**faces: str) -> dict[str, str]:
    """Which class of which carried file an Auto class means."""
    return {auto: f"{face}_harvest_vilt.{_CLASSES[face]}" for auto, face in faces.items()}


def _config(trained: Trained) -> dict[str, object]:
    tokenizer, data = trained.tokenizer, trained.config.data
    return {
        "architectures": ["HarvestViltModel"],
        "auto_map": _auto_map(AutoConfig="configuration", AutoModel="modeling"),
        "model_type": "harvest_vilt",
        "dtype": "float32",
        **trained.config.model.model_dump(mode="json", exclude=PRIVATE),
        "vocabulary": tokenizer.vocabulary,
        "text_length": data.text_length,
        "image_size": data.image_size,
        "shared_space": trained.learnt.shared,
        "pad_token_id": tokenizer.pad,
        "mask_token_id": tokenizer.mask,
        "harvest_train_version": version("harvest-train"),
    }
