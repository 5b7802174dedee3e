"""An image file's bytes to pixels: the one place where an image of a set is decoded.

The decoder is asked for a small scale that still covers the wanted size, which is most of the speed. JPEGs go to
libjpeg-turbo; odd ones, png and webp, as other people's sets hold them, to PIL. Pixels stay uint8 here; the model
standardises them, so that little is carried between processes.
"""

import hashlib
import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from train.data.config import AugmentConfig, DataConfig
from train.data.square import Box, squared, visible_box
from train.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64 << 20  # a larger frame is not one that `harvest` wrote


def training_pixels(stored: bytes, config: DataConfig, *, seed: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of a training image, changed a little by a draw that `seed` alone decides."""
    return _pixels(stored, config, _Change.drawn(config.augment, seed))


def evaluation_pixels(stored: bytes, config: DataConfig) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of an image as it is."""
    return _pixels(stored, config, _NO_CHANGE)


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
        if not (config.shift or config.brightness or config.contrast):
            return _NO_CHANGE
        # A hash is ready sooner than a random number generator is seeded, which would cost a tenth of the decoding.
        digest = hashlib.blake2b(repr(seed).encode(), digest_size=6 * 8).digest()
        draws = [number / 2**64 for number in struct.unpack("<6Q", digest)]  # each evenly from 0 to 1
        cut = [draw * config.shift / 2 for draw in draws[:4]]
        brightness, contrast = (2 * draw - 1 for draw in draws[4:])
        return cls(
            left=cut[0],
            upper=cut[1],
            right=cut[2],
            lower=cut[3],
            brightness=1 + brightness * config.brightness,
            contrast=1 + contrast * config.contrast,
        )


_NO_CHANGE = _Change()


def _pixels(stored: bytes, config: DataConfig, change: _Change) -> NDArray[np.uint8]:
    decoded = _decoded(stored, config.image_size)
    height, width, _ = decoded.shape
    box = visible_box((width, height), config.fit)
    square = squared(decoded, box if change is _NO_CHANGE else _cut(box, change), config.image_size)
    if change.brightness != 1 or change.contrast != 1:
        square = np.take(_levels(change), square)
    return square


def _levels(change: _Change) -> NDArray[np.uint8]:
    """What each of the 256 levels becomes; contrast turns about mid-grey."""
    levels = ((np.arange(256) - 127.5) * change.contrast + 127.5) * change.brightness
    return levels.round().clip(0, 255).astype(np.uint8)


def _decoded(stored: bytes, size: int) -> NDArray[np.uint8]:
    """Pixels (height, width, 3), at a half, 3/8, a quarter ... of the scale where that leaves `size` of each side."""
    import simplejpeg  # of the extra `train`; a fallback for what it does not take is at hand

    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(stored)
        _check_size(width, height)
        decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            stored, "RGB", min_height=size, min_width=size, min_factor=2
        )
    except ValueError:  # another kind of JPEG, another format, or damage: PIL tells them apart
        return _decoded_by_pil(stored, size)
    return decoded


def _decoded_by_pil(stored: bytes, size: int) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(stored), formats=FORMATS)
        _check_size(image.width, image.height)
        image.draft("RGB", (size, size))
        return np.array(image.convert("RGB"))
    except UnidentifiedImageError:
        raise _undecodable(f"it is none of {', '.join(FORMATS)}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _undecodable(str(error)) from None


def _undecodable(reason: str) -> DataError:
    return DataError(f"An image of the set cannot be decoded ({reason:.200}): check it with 'harvest validate'.")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(f"An image of {width}x{height} pixels is over the limit of {MAX_PIXELS}.")


def _cut(box: Box, change: _Change) -> Box:
    left, upper, right, lower = box
    width, height = right - left, lower - upper
    return (
        left + change.left * width,
        upper + change.upper * height,
        right - change.right * width,
        lower - change.lower * height,
    )
