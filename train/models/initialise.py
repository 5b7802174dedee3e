"""Start from a ViT that somebody trained: its patch projection, class token, places, blocks and last norm.

Weights come from a .safetensors file under timm's names: a local one, or the one that a model's repository on the
Hugging Face hub holds, which timm knows by name. Of a local file it is assumed that its blocks have `model.heads`
heads, and that its ViT saw pixels standardised as ours are, by ImageNet's mean and deviation; what timm tells of a
named one is checked and allowed for. Places of another grid are interpolated. Of an image alone the encoder then makes
what the ViT makes. Text embeddings, decoder and heads keep their random start.
"""

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from train.errors import InitialisationError
from train.models.embeddings import PIXEL_MEAN, PIXEL_STD, resample_places
from train.models.layers import timm_model
from train.models.vilt import Vilt
from train.models.weights import HUB_FILE, fetched, read_weights, shape_of

logger = logging.getLogger(__name__)

KERNEL, KERNEL_BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"
TAKEN = re.compile(r"blocks\.\d+\.|norm\.|patch_embed\.proj\.|(pos_embed|cls_token)$")
# Classifiers, pooling behind the last block, MAE's decoder: no image's encoding hangs on them.
LEFT_OUT = re.compile(r"head|fc_norm\.|pre_logits\.|attn_pool\.|decoder_|mask_token$")


def start_from_vit(model: Vilt, source: str) -> None:
    """Copy the weights of the ViT `source` into `model`. Raises InitialisationError, naming what does not fit."""
    weights = _weights(source, model)
    _check_kind(weights, source)
    _check_geometry(weights, source, model)
    ours = model.state_dict()
    fitting = {}
    for name, theirs in _renamed(weights, source, model).items():
        if name not in ours:
            raise InitialisationError(f"{source} has {name}, which a plain ViT's block has not: choose a plain ViT.")
        if ours[name].shape != theirs.shape:
            raise InitialisationError(
                f"{source} does not fit: its {name} is {shape_of(theirs)}, this model's is {shape_of(ours[name])}."
            )
        fitting[name] = theirs
    if missing := sorted(name for name in ours if name.startswith("blocks.") and name not in fitting):
        raise InitialisationError(f"{source} lacks {missing[0]} ({len(missing)} weights in all): it is not such a ViT.")
    model.load_state_dict(fitting, strict=False)
    if "norm.weight" not in fitting:
        logger.info("%s has no last norm: this model's starts as it is, with no scale of its own.", source)
    if left := sorted(name for name in weights if not TAKEN.match(name)):
        logger.info("%s: %d weights have no place here and are left out (%s ...).", source, len(left), left[0])


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


def _weights(source: str, model: Vilt) -> dict[str, Tensor]:
    path = Path(source)
    if path.suffix == ".safetensors" or path.exists():
        return read_weights(path)
    known = timm_model(source)
    if known is None:
        raise InitialisationError(
            f"model.start_from={source!r} is neither a .safetensors file or run here nor a model that timm knows."
        )
    if known.heads and known.heads != model.blocks.heads:
        raise InitialisationError(
            f"{source} has {known.heads} heads, this model {model.blocks.heads}: set model.heads={known.heads}."
        )
    file = fetched(known.repository, HUB_FILE) if known.repository else None
    if file is None:
        raise InitialisationError(
            f"The weights of {source} are not published as safetensors, and others are not read: choose another ViT."
        )
    weights = read_weights(file)
    if not {KERNEL, KERNEL_BIAS} <= weights.keys():
        raise InitialisationError(f"{source} has no patch projection with a bias: it is not such a ViT.")
    return for_our_pixels(weights, mean=known.mean, std=known.std)


def _check_kind(weights: dict[str, Tensor], source: str) -> None:
    """Refuse what would change an image's encoding and has no place here: register tokens, another norm before."""
    for name in weights:
        if not (TAKEN.match(name) or LEFT_OUT.match(name)):
            raise InitialisationError(
                f"{source} has {name}, which a plain ViT has not, and without it its blocks would mean something else: "
                "choose a plain ViT."
            )
    if weights.get(KERNEL, torch.empty(0)).dim() != 4:
        raise InitialisationError(f"{source} has no patch projection named {KERNEL}: it is not such a ViT.")


def _check_geometry(weights: dict[str, Tensor], source: str, model: Vilt) -> None:
    """Width, patch and depth, each with the setting to change."""
    width, _, patch, _ = weights[KERNEL].shape
    depth = 1 + max((int(found[1]) for name in weights if (found := re.match(r"blocks\.(\d+)\.", name))), default=-1)
    pairs = {
        "width": (width, model.norm.normalized_shape[0]),
        "patch": (patch, model.patch),
        "depth": (depth, len(model.blocks)),
    }
    for setting, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise InitialisationError(
                f"{source} does not fit: its {setting} is {theirs}, this model's is {ours}. "
                f"Set model.{setting}={theirs}."
            )


def _renamed(weights: dict[str, Tensor], source: str, model: Vilt) -> dict[str, Tensor]:
    """timm's names to ours, for the parts the two share."""
    renamed = {name: value for name, value in weights.items() if re.match(r"blocks\.\d+\.|norm\.", name)}
    # A convolution's kernel (D, C, p, p) is our projection's matrix, with P running over (row, column, colour).
    kernel = weights[KERNEL]
    renamed["image.project.weight"] = kernel.permute(0, 2, 3, 1).reshape(kernel.shape[0], -1)
    if KERNEL_BIAS in weights:
        renamed["image.project.bias"] = weights[KERNEL_BIAS]
    # What the blocks know as an image is told by nothing else: the type is where text starts to differ from it.
    renamed["image.type_D"] = torch.zeros(kernel.shape[0])
    return renamed | _places(weights, source, model)


def _places(weights: dict[str, Tensor], source: str, model: Vilt) -> dict[str, Tensor]:
    """The table of places at our grid, and the class token as the vector that gathers the image."""
    summary = weights["cls_token"].reshape(-1) if "cls_token" in weights else None
    if "pos_embed" not in weights:
        return {} if summary is None else {"image.summary_D": summary}
    table = weights["pos_embed"].reshape(-1, weights["pos_embed"].shape[-1])
    prefix = 0 if _is_square(len(table)) else 1  # the class token's place, if it has one
    if not _is_square(len(table) - prefix):
        raise InitialisationError(
            f"{source} has {len(table)} places, which is no square grid with or without a class token: "
            "choose a ViT for square images."
        )
    found = {"image.places_ND": resample_places(table[prefix:], model.patches)}
    if len(table) - prefix != model.patches:
        logger.info("%s: places are interpolated from %d patches to %d.", source, len(table) - prefix, model.patches)
    if summary is not None:
        found["image.summary_D"] = summary + (table[0] if prefix else 0)
    return found


def _is_square(count: int) -> bool:
    return math.isqrt(count) ** 2 == count
