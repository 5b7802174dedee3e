"""Whatever a person hands over as an image, to the pixels that evaluation would see.

Image files go the way of a set's samples. What is decoded already is fitted into the square in the same way, but from
all its pixels, where a large JPEG file is decoded at a smaller scale: a few grey levels may differ at edges.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from train.data.config import DataConfig
from train.data.square import squared, visible_box
from train.data.transforms import FORMATS, MAX_PIXELS, evaluation_pixels
from train.errors import DataError

Picture = str | PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, the bytes of an image file, a PIL image, or uint8 pixels (height, width, 3)."""


def as_list(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """A single picture counts as a list of one."""
    if isinstance(pictures, str | PathLike | bytes | Image.Image | np.ndarray):
        return [pictures]
    return list(pictures)


def pixels_of(pictures: Sequence[Picture], config: DataConfig) -> Tensor:
    """images_BCSS, uint8. Raises DataError, naming the picture by its path or place, for what is not an image."""
    images = np.stack([_pixels(picture, number, config) for number, picture in enumerate(pictures)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _pixels(picture: Picture, number: int, config: DataConfig) -> NDArray[np.uint8]:
    name = f"Image {number}"
    if isinstance(picture, str | PathLike):
        name, picture = str(picture), _read(Path(picture))
    if isinstance(picture, bytes):
        try:
            return evaluation_pixels(picture, config)
        except DataError:
            raise DataError(
                f"{name} cannot be decoded: it is damaged, over the limit of {MAX_PIXELS} pixels, or none of "
                f"{', '.join(FORMATS)}, beside which only images that are decoded already are taken."
            ) from None
    decoded = _decoded(picture, name)
    height, width, _ = decoded.shape
    return squared(decoded, visible_box((width, height), config.fit), config.image_size)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The image {path} cannot be read ({error.strerror}): give the path of an image file."
        ) from None


def _decoded(picture: object, name: str) -> NDArray[np.uint8]:
    if isinstance(picture, Image.Image):
        return np.array(picture.convert("RGB"))
    if not isinstance(picture, np.ndarray):
        raise DataError(
            f"{name} is a {type(picture).__name__}: give a path, bytes, a PIL image, or an array of pixels."
        )
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise DataError(f"{name} has {picture.dtype} pixels {picture.shape}: give uint8 ones (height, width, 3).")
    return np.array(picture)
