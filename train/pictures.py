"""Whatever a person hands over as an image, to the pixels that evaluation would see.

JPEG bytes go the way of a set's samples. What is decoded already, or is no JPEG, is fitted into the square in the same
way but from all its pixels, where a large JPEG is decoded at a smaller scale: a few grey levels may differ at edges.
"""

import io
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from train.data.config import DataConfig
from train.data.square import resized, visible_box
from train.data.transforms import MAX_PIXELS, evaluation_pixels
from train.errors import DataError

Picture = str | PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, the bytes of an image file, a PIL image, or uint8 pixels (height, width, 3)."""

FORMATS = ("BMP", "GIF", "PNG", "TIFF", "WEBP")  # beside JPEG; what else PIL can open is not for strangers' files
JPEG_BEGINS = b"\xff\xd8"


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
    if isinstance(picture, bytes) and picture.startswith(JPEG_BEGINS):
        try:
            return evaluation_pixels(picture, config)
        except DataError:
            raise DataError(
                f"{name} is a JPEG that is damaged or has over {MAX_PIXELS} pixels: give another."
            ) from None
    image = _image(picture, name)
    square = resized(image, config.image_size, visible_box(image.size, config.fit))
    return np.asarray(square)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The image {path} cannot be read ({error.strerror}): give the path of an image file."
        ) from None


def _image(picture: object, name: str) -> Image.Image:
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise DataError(f"{name} has {picture.dtype} pixels {picture.shape}: give uint8 ones (height, width, 3).")
        return Image.fromarray(picture)
    if isinstance(picture, bytes):
        return _decoded(picture, name)
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    raise DataError(f"{name} is a {type(picture).__name__}: give a path, bytes, a PIL image, or an array of pixels.")


def _decoded(stored: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(stored), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise DataError(f"{name} has {image.width}x{image.height} pixels, which is over the limit of {MAX_PIXELS}.")
        return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be decoded as JPEG or {', '.join(FORMATS)}: {error}.") from None
