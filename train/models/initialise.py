"""Start from a ViT that somebody trained: its patch projection, places, blocks and last norm.

Weights come from a .safetensors file: a local one, or the one that a model's repository on the Hugging Face hub holds,
which timm knows by name. Other formats are refused, so nothing is unpickled. Of a local file it is assumed that its
ViT saw pixels standardised as ours are, by ImageNet's mean and deviation; what timm tells of a named one is allowed
for. Text embeddings, decoder and heads keep their random start.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from train.errors import InitialisationError
from train.models.embeddings import PIXEL_MEAN, PIXEL_STD
from train.models.layers import timm_model
from train.models.vilt import Vilt

HUB_FILE = "model.safetensors"
KERNEL, KERNEL_BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"


def start_from_vit(model: Vilt, source: str) -> None:
    """Copy the weights of the ViT `source` into `model`. Raises InitialisationError, naming what does not fit."""
    ours = model.state_dict()
    fitting = {}
    for name, theirs in _renamed(_weights(source), model).items():
        if name not in ours:
            raise InitialisationError(
                f"{source} has a weight for {name}, which this model has not: {_why(name, model)}"
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


def for_our_pixels(weights: dict[str, Tensor], *, mean: Sequence[float], std: Sequence[float]) -> dict[str, Tensor]:
    """The weights of a ViT for pixels standardised by `mean` and `std`, changed to give the same on ours.

    ours = (pixel - our_mean) / our_std, so theirs = (ours * our_std + our_mean - mean) / std, colour by colour. The
    factor goes into the projection's kernel, the rest into its bias.
    """
    kernel, (our_mean, our_std) = weights[KERNEL], (torch.tensor(PIXEL_MEAN), torch.tensor(PIXEL_STD))
    their_mean, their_std = torch.tensor(mean), torch.tensor(std)
    shift = kernel.sum(dim=(2, 3)) @ ((our_mean - their_mean) / their_std)
    scaled = kernel * (our_std / their_std).view(1, 3, 1, 1)
    return weights | {KERNEL: scaled, KERNEL_BIAS: weights[KERNEL_BIAS] + shift}


def _weights(source: str) -> dict[str, Tensor]:
    path = Path(source)
    if path.suffix == ".safetensors" or path.exists():
        return _read(path)
    known = timm_model(source)
    if known is None:
        raise InitialisationError(
            f"model.start_from={source!r} is neither a .safetensors file here nor a model that timm knows."
        )
    weights = _read(_fetched(source, known.repository))
    if not {KERNEL, KERNEL_BIAS} <= weights.keys():
        raise InitialisationError(f"{source} has no patch projection with a bias: it is not such a ViT.")
    return for_our_pixels(weights, mean=known.mean, std=known.std)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InitialisationError(f"{path} cannot be read as safetensors weights: {error}.") from None


def _fetched(source: str, repository: str) -> Path:
    from huggingface_hub import hf_hub_download  # only wanted for this choice
    from huggingface_hub.errors import EntryNotFoundError

    missing = f"The weights of {source} are not published as safetensors, and others are not read: choose another ViT."
    if not repository:
        raise InitialisationError(missing)
    try:
        return Path(hf_hub_download(repository, HUB_FILE))
    except (OSError, ValueError) as error:
        if isinstance(error, EntryNotFoundError) and not isinstance(error, FileNotFoundError):
            raise InitialisationError(missing) from None
        reason = str(error).strip().split("\n")[0]
        raise InitialisationError(
            f"The weights of {source} cannot be fetched from {repository} on the Hugging Face hub: {reason}"
        ) from None


def _why(name: str, model: Vilt) -> str:
    block = re.match(r"blocks\.(\d+)\.", name)
    if block and int(block[1]) >= len(model.blocks):
        return "set model.depth to the ViT's."
    return (
        "its blocks hold more than a plain ViT's (LayerScale, say), so it cannot be started from; choose a plain one."
    )


def _renamed(weights: dict[str, Tensor], model: Vilt) -> dict[str, Tensor]:
    """timm's names to ours, for the parts the two share."""
    renamed = {name: value for name, value in weights.items() if re.match(r"blocks\.\d+\.|norm\.", name)}
    if KERNEL in weights:
        # A convolution's kernel (D, C, p, p) is our projection's matrix, with P running over (row, column, colour).
        kernel = weights[KERNEL]
        renamed["image.project.weight"] = kernel.permute(0, 2, 3, 1).reshape(kernel.shape[0], -1)
        renamed["image.project.bias"] = weights[KERNEL_BIAS]
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
