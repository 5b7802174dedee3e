"""Pieces and patches to vectors: each with its place and its modality's type added.

`patchify` cuts images into rows of numbers; it is also what the patch decoder's targets are made of.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

# Standardisation of pixels in 0..1: ImageNet's, so that checkpoints trained on it start right.
PIXEL_MEAN = (0.485, 0.456, 0.406)
PIXEL_STD = (0.229, 0.224, 0.225)

Positions = Literal["learned", "sincos"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInput:
    """Pieces the encoder is to read."""

    tokens_RL: Tensor
    real_RL: Tensor | None  # None where every slot counts, as when the caption's length is hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """Patches the encoder is to see, and their places in the image."""

    patches_RKP: Tensor
    places_RK: Tensor


def patchify(images_BCSS: Tensor, patch: int) -> Tensor:
    """uint8 images to standardised patches_BNP, row by row from the upper left; P runs over (row, column, colour)."""
    pixels = images_BCSS.float() / 255
    # Colour by colour: mean and deviation as a tensor would have to be copied to the device, which waits for it.
    colours = zip(pixels.unbind(dim=1), PIXEL_MEAN, PIXEL_STD, strict=True)
    pixels = torch.stack([(colour - mean) / std for colour, mean, std in colours], dim=1)
    B, C, S, _ = pixels.shape
    side = S // patch
    cut = pixels.reshape(B, C, side, patch, side, patch).permute(0, 2, 4, 3, 5, 1)
    return cut.reshape(B, side * side, patch * patch * C)


def whole_image(patches_BNP: Tensor) -> ImageInput:
    """All patches, each at its place."""
    places_N = torch.arange(patches_BNP.shape[1], device=patches_BNP.device)
    return ImageInput(patches_RKP=patches_BNP, places_RK=places_N.expand(patches_BNP.shape[:2]))


def shown_patches(patches_RNP: Tensor, places_RK: Tensor) -> ImageInput:
    """Only the patches at `places_RK`."""
    return ImageInput(patches_RKP=gather_rows(patches_RNP, places_RK), places_RK=places_RK)


def gather_rows(values_RTX: Tensor, places_RK: Tensor) -> Tensor:
    """The vectors of each row that stand at `places_RK`."""
    return values_RTX.gather(1, places_RK.unsqueeze(-1).expand(-1, -1, values_RTX.shape[-1]))


class TextEmbedding(nn.Module):
    """Piece + place + the type 'text'."""

    places_LD: Tensor

    def __init__(self, *, vocabulary: int, length: int, width: int, positions: Positions) -> None:
        super().__init__()
        self.pieces = nn.Embedding(vocabulary, width)
        _add_places(self, "places_LD", sincos_line(length, width), positions)
        self.type_D = nn.Parameter(torch.zeros(width))

    def forward(self, tokens_RL: Tensor) -> Tensor:
        vectors: Tensor = self.pieces(tokens_RL) + self.places_LD[: tokens_RL.shape[1]] + self.type_D
        return vectors


class PatchEmbedding(nn.Module):
    """Patch + place + the type 'image', behind one learned vector that gathers what the image says as a whole."""

    places_ND: Tensor

    def __init__(self, *, numbers: int, patches: int, width: int, positions: Positions) -> None:
        super().__init__()
        self.project = nn.Linear(numbers, width)
        _add_places(self, "places_ND", sincos_grid(patches, width), positions)
        self.type_D = nn.Parameter(torch.zeros(width))
        self.summary_D = nn.Parameter(torch.zeros(width))

    def forward(self, image: ImageInput) -> Tensor:
        """(R, 1 + K, D)."""
        vectors = self.project(image.patches_RKP) + self.places_ND[image.places_RK] + self.type_D
        summary = (self.summary_D + self.type_D).expand(vectors.shape[0], 1, -1)
        return torch.cat([summary, vectors], dim=1)


def _add_places(module: nn.Module, name: str, waves: Tensor, kind: Positions) -> None:
    """Give `module` a table of places: the fixed `waves`, or one as large that is learned from small noise."""
    if kind == "sincos":
        module.register_buffer(name, waves)
    else:
        module.register_parameter(name, nn.Parameter(torch.zeros_like(waves)))


def sincos_line(count: int, width: int) -> Tensor:
    """Places on a line as waves of falling frequency."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = torch.arange(count).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sincos_grid(count: int, width: int) -> Tensor:
    """Places on a square grid: half of the width tells the row, half the column."""
    side = math.isqrt(count)
    line = sincos_line(side, width // 2)
    rows = line.repeat_interleave(side, dim=0)
    columns = line.repeat(side, 1)
    return torch.cat([rows, columns], dim=1)


def resample_places(places_ND: Tensor, patches: int) -> Tensor:
    """A square grid's table of places, for a grid of `patches`.

    Waves are drawn anew. Learned places are interpolated, bicubic with antialiasing, as timm's
    `resample_abs_pos_embed` does it. Both grids must be square.
    """
    count, width = places_ND.shape
    if count == patches:
        return places_ND
    if width % 4 == 0 and torch.allclose(places_ND, sincos_grid(count, width), atol=1e-5):
        return sincos_grid(patches, width)
    before, after = math.isqrt(count), math.isqrt(patches)
    grid = places_ND.float().T.reshape(1, width, before, before)
    grid = functional.interpolate(grid, size=(after, after), mode="bicubic", antialias=True)
    return grid.reshape(width, patches).T.to(places_ND.dtype).contiguous()
