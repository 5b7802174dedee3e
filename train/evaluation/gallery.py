"""A split laid out for retrieval: its images, its different captions, and which belong together."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from train.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """A images and Q different captions. Captions that are equal, but for case and spaces, are one."""

    images_ACSS: Tensor  # uint8
    captions: tuple[str, ...]
    tokens_QL: Tensor
    real_QL: Tensor
    right_QA: Tensor  # True where the caption was said over the image

    @classmethod
    def collect(cls, batches: Iterable[Batch]) -> "Gallery":
        held = list(batches)
        spoken = [caption for batch in held for caption in batch.captions]
        row_of: dict[str, int] = {}  # where each different caption stands first
        for row, caption in enumerate(spoken):
            row_of.setdefault(_plain(caption), row)
        number_of = {caption: number for number, caption in enumerate(row_of)}
        right_QA = torch.zeros(len(row_of), len(spoken), dtype=torch.bool)
        for image, caption in enumerate(spoken):
            right_QA[number_of[_plain(caption)], image] = True
        rows = list(row_of.values())
        return cls(
            images_ACSS=torch.cat([batch.images_BCSS for batch in held]),
            captions=tuple(spoken[row] for row in rows),
            tokens_QL=torch.cat([batch.tokens_BL for batch in held])[rows],
            real_QL=torch.cat([batch.real_BL for batch in held])[rows],
            right_QA=right_QA,
        )


def _plain(caption: str) -> str:
    return " ".join(caption.casefold().split())
