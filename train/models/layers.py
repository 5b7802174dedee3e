"""Transformer blocks, from timm: the one module that imports it.

timm cannot be imported without torchvision, and the package index's torchvision is linked to CUDA: beside a CPU-only
torch its import fails because two operators do not exist. They are never called here, so declaring them is enough.
"""

import importlib
import sys
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def _import_torchvision() -> object:
    """Import torchvision, declaring the operators it misses if, and only if, it cannot be imported without.

    Returns what must be kept alive for the declarations to last.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # half loaded
        declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            declared.define(schema)  # type: ignore[no-untyped-call]
        importlib.import_module("torchvision")
        return declared
    return None


_TORCHVISION = _import_torchvision()

import timm  # noqa: E402  # only now can it be imported
from timm.models.vision_transformer import Block, VisionTransformer  # noqa: E402

_NORM = partial(nn.LayerNorm, eps=1e-6)  # ViT's epsilon, so that its checkpoints mean the same here


class Blocks(nn.ModuleList):
    """Blocks that are run one after the other.

    Where `recompute` is set, only what enters a block is kept for the backward pass and the rest computed again there
    (Chen et al. 2016, arXiv:1604.06174): far less memory, and a third more time, as each block is run twice forward.
    """

    recompute = False

    @property
    def heads(self) -> int:
        """Of each block's attention."""
        first: Block = self[0]
        return int(first.attn.num_heads)

    def forward(self, slots_RTD: Tensor, attend_RT: Tensor | None) -> Tensor:
        """Slots where `attend_RT` is False are attended to by none."""
        mask = None if attend_RT is None else attend_RT[:, None, None, :]
        for block in self:
            if self.recompute and torch.is_grad_enabled():
                slots_RTD = checkpoint(block, slots_RTD, attn_mask=mask, use_reentrant=False)
            else:
                slots_RTD = block(slots_RTD, attn_mask=mask)
        return slots_RTD


def blocks(*, width: int, depth: int, heads: int, mlp_ratio: float = 4.0, dropout: float = 0.0) -> Blocks:
    """`depth` pre-norm blocks of ViT's kind."""
    return Blocks(
        Block(width, heads, mlp_ratio=mlp_ratio, qkv_bias=True, proj_drop=dropout, norm_layer=_NORM)
        for _ in range(depth)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where the weights of a model lie that timm knows, and how its pixels were standardised."""

    repository: str  # on the Hugging Face hub; empty if it is not there
    mean: tuple[float, ...]
    std: tuple[float, ...]
    heads: int  # of each block, which its weights do not tell; 0 if it is no plain ViT


def timm_model(name: str) -> Published | None:
    """What timm knows of the pre-trained model `name`; None if it knows none."""
    try:
        known = timm.models.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name) else None
    except RuntimeError:  # a tag that it does not know
        known = None
    if known is None:
        return None
    with torch.device("meta"):
        built = timm.create_model(name, pretrained=False)
    attention = built.blocks[0].attn if isinstance(built, VisionTransformer) else None
    return Published(
        repository=known.hf_hub_id or "",
        mean=tuple(known.mean),
        std=tuple(known.std),
        heads=getattr(attention, "num_heads", 0),
    )
