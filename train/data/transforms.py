"""JPEG bytes to pixels: the one place where an image is decoded.

The decoder is asked for the smallest scale that still covers the wanted size, which is most of the speed. Pixels
stay uint8 here; the model standardises them, so that little is carried between processes.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.data.config import AugmentConfig, DataConfig
from train.data.square import Box, resized, visible_box
from train.errors import DataError

MAX_PIXELS = 64 << 20  # a larger frame is not one that `harvest` wrote


def training_pixels(jpeg: bytes, config: DataConfig, *, seed: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of a training image, changed a little by a draw that `seed` alone decides."""
    return _pixels(jpeg, config, _Change.drawn(config.augment, seed))


def evaluation_pixels(jpeg: bytes, config: DataConfig) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of an image as it is."""
    return _pixels(jpeg, config, _Change())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What augmentation does to one image."""

    left: float = 0.0  # shares of the side that are cut away
    upper: float = 0.0
    right: float = 0.0
    lower: float = 0.0
    brightness: float = 1.0
    contrast: float = 1.0

    @classmethod
    def drawn(cls, config: AugmentConfig, seed: tuple[int, ...]) -> "_Change":
        generator = np.random.default_rng(seed)
        cut = generator.uniform(0, config.shift / 2, size=4)
        brightness, contrast = generator.uniform(-1, 1, size=2)
        return cls(
            left=cut[0],
            upper=cut[1],
            right=cut[2],
            lower=cut[3],
            brightness=1 + brightness * config.brightness,
            contrast=1 + contrast * config.contrast,
        )


def _pixels(jpeg: bytes, config: DataConfig, change: _Change) -> NDArray[np.uint8]:
    image = _decoded(jpeg, config.image_size)
    image = resized(image, config.image_size, _cut(visible_box(image.size, config.fit), change))
    if change.brightness != 1 or change.contrast != 1:
        image = image.point(_levels(change) * 3)  # a table for each colour
    return np.asarray(image)


def _levels(change: _Change) -> list[int]:
    """What each of the 256 levels becomes; contrast turns about mid-grey."""
    levels = ((np.arange(256) - 127.5) * change.contrast + 127.5) * change.brightness
    return [int(level) for level in levels.round().clip(0, 255)]


def _decoded(jpeg: bytes, size: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        if image.width * image.height > MAX_PIXELS:
            raise DataError(f"An image of {image.width}x{image.height} pixels is over the limit of {MAX_PIXELS}.")
        image.draft("RGB", (size, size))  # decodes at 1/2, 1/4 or 1/8 where that is still large enough
        return image.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"An image of the set cannot be decoded ({error}): check it with 'harvest validate'.") from None


def _cut(box: Box, change: _Change) -> Box:
    left, upper, right, lower = box
    width, height = right - left, lower - upper
    return (
        left + change.left * width,
        upper + change.upper * height,
        right - change.right * width,
        lower - change.lower * height,
    )
