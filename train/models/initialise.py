"""Start from a ViT that somebody trained: its patch projection, places, blocks and last norm.

Weights come from a local .safetensors file, or from timm by name. Nothing is unpickled. Text embeddings, decoder and
heads keep their random start.
"""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from train.errors import InitialisationError
from train.models.layers import timm_knows, timm_weights
from train.models.vilt import Vilt


def start_from_vit(model: Vilt, source: str) -> None:
    """Copy the weights of the ViT `source` into `model`. Raises InitialisationError, naming what does not fit."""
    ours = model.state_dict()
    fitting = {}
    for name, theirs in _renamed(_weights(source), model).items():
        if name not in ours:
            raise InitialisationError(
                f"{source} has a weight for {name}, which this model has not: set model.depth to the ViT's."
            )
        if ours[name].shape != theirs.shape:
            raise InitialisationError(
                f"{source} does not fit: its {name} is {_shape(theirs)}, this model's is {_shape(ours[name])}. "
                "Set model.width, model.heads, model.patch and data.image_size to the ViT's."
            )
        fitting[name] = theirs
    blocks = {name for name in ours if name.startswith("blocks.")}
    if missing := sorted(blocks - fitting.keys()):
        raise InitialisationError(f"{source} lacks {missing[0]} ({len(missing)} weights in all): it is not such a ViT.")
    model.load_state_dict(fitting, strict=False)


def _weights(source: str) -> dict[str, Tensor]:
    path = Path(source)
    if path.suffix == ".safetensors" or path.exists():
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise InitialisationError(f"{source} cannot be read as safetensors weights: {error}.") from None
    if not timm_knows(source):
        raise InitialisationError(
            f"model.start_from={source!r} is neither a .safetensors file here nor a model that timm knows."
        )
    try:
        return timm_weights(source)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InitialisationError(f"The weights of {source} cannot be fetched: {reason}") from None


def _renamed(weights: dict[str, Tensor], model: Vilt) -> dict[str, Tensor]:
    """timm's names to ours, for the parts the two share."""
    renamed = {name: value for name, value in weights.items() if re.match(r"blocks\.\d+\.|norm\.", name)}
    if "patch_embed.proj.weight" in weights:
        # A convolution's kernel (D, C, p, p) is our projection's matrix, with P running over (row, column, colour).
        kernel = weights["patch_embed.proj.weight"]
        renamed["image.project.weight"] = kernel.permute(0, 2, 3, 1).reshape(kernel.shape[0], -1)
        renamed["image.project.bias"] = weights["patch_embed.proj.bias"]
    if "pos_embed" in weights:
        table = weights["pos_embed"][0]
        prefix = table.shape[0] - model.patches  # a class token's place, if the ViT has one
        if prefix in (0, 1):
            renamed["image.places_ND"] = table[prefix:]
            renamed |= {"image.summary_D": weights["cls_token"][0, 0] + table[0]} if prefix else {}
        else:
            renamed["image.places_ND"] = table
    return renamed


def _shape(weight: torch.Tensor) -> str:
    return "x".join(map(str, weight.shape)) or "a number"
