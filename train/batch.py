"""One batch, and the legend of the shape letters used in all of `train`.

    B  rows of a batch            R  rows of one mode, R <= B      C  colour channels (3)
    S  image side in pixels       L  text slots                    N  patches of an image
    K  patches that are shown     H  hidden pieces of all rows     M  patches that are hidden (N - K)
    P  numbers in a patch         D  width of the encoder          E  width of the shared embedding
    V  pieces in the vocabulary   Q  queries                       A  candidates (answers)

`images_BCSS` reads: a tensor of shape (B, C, S, S). `real_BL` is True where a text slot holds a piece of the
caption and False where it is padding; `hidden_BL` is True where the model may not see the piece.

Rows are in this order: pairs, then texts without an image, then images without a text.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train.data.order import Position

_TENSORS = ("images_BCSS", "tokens_BL", "real_BL", "begins_BL", "videos_B", "align_B")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pixels and pieces of B samples, and where the stream stands after them."""

    images_BCSS: Tensor  # uint8; black where there is no image
    tokens_BL: Tensor  # int64; slot 0 is [CLS]
    real_BL: Tensor  # bool
    begins_BL: Tensor  # bool: the piece begins a word; False at [CLS] and padding
    videos_B: Tensor  # int64, equal for rows of one video
    align_B: Tensor  # float32: how well image and caption agree, where a model has judged it, else -1
    captions: tuple[str, ...]
    keys: tuple[str, ...]
    after: tuple[Position, ...]  # where reading goes on, in each of the sets that are read
    lone_texts: int = 0  # rows
    lone_images: int = 0  # rows
    replaced: int = 0  # rows whose own sample could not be used: another's is in its place

    @property
    def pairs(self) -> int:
        """How many rows, from the first on, have both an image and a text."""
        return len(self.tokens_BL) - self.lone_texts - self.lone_images

    def to(self, device: torch.device) -> "Batch":
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in _TENSORS})

    def pin_memory(self) -> "Batch":
        """In memory from which a GPU can copy while the CPU goes on; the DataLoader asks for it by this name."""
        return replace(self, **{name: getattr(self, name).pin_memory() for name in _TENSORS})
