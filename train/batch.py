"""One batch, and the legend of the shape letters used in all of `train`.

    B  rows of a batch            R  rows of one mode, R <= B      C  colour channels (3)
    S  image side in pixels       L  text slots                    N  patches of an image
    K  patches that are shown     H  text slots that may be hidden M  patches that are hidden (N - K)
    P  numbers in a patch         D  width of the encoder          E  width of the shared embedding
    V  pieces in the vocabulary   Q  queries                       A  candidates (answers)

`images_BCSS` reads: a tensor of shape (B, C, S, S). `real_BL` is True where a text slot holds a piece of the
caption and False where it is padding; `hidden_BL` is True where the model may not see the piece.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train.data.order import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pixels and pieces of B samples, and where the stream stands after them."""

    images_BCSS: Tensor  # uint8
    tokens_BL: Tensor  # int64; slot 0 is [CLS]
    real_BL: Tensor  # bool
    captions: tuple[str, ...]
    keys: tuple[str, ...]
    after: Position  # where reading goes on

    def to(self, device: torch.device) -> "Batch":
        return replace(
            self,
            images_BCSS=self.images_BCSS.to(device, non_blocking=True),
            tokens_BL=self.tokens_BL.to(device, non_blocking=True),
            real_BL=self.real_BL.to(device, non_blocking=True),
        )
