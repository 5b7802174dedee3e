"""A frame as it is kept: upright, without black bars, measured, and encoded as a JPEG."""

import base64
import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from harvest.bars import Crop
from harvest.media.frames import Frame, Picture

THUMBNAIL = (16, 9)  # pixels

# How well a level is exposed: 1 in the middle, 0.04 where it is black or white. T. Mertens, J. Kautz and F. Van Reeth,
# "Exposure Fusion", Pacific Graphics (2007): a Gaussian of width 0.2 about 0.5.
WELL_EXPOSED = np.exp(-((np.arange(256) / 255 - 0.5) ** 2) / (2 * 0.2**2)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Still:
    """A picture and its brightness."""

    rgb: Picture  # (height, width, 3)
    luma: Picture  # (height, width)


def take(frame: Frame, crop: Crop, *, short_side: int) -> Still:
    """What `crop` leaves of the frame, the shorter side at most `short_side` pixels."""
    left, top, right, bottom = crop
    whole = round(short_side / min(1 - left - right, 1 - top - bottom))
    rgb, luma = frame.as_rgb(short_side=whole), frame.as_luma(short_side=whole)
    height, width = luma.shape
    rows, columns = (
        slice(round(first * length), length - round(last * length))
        for first, last, length in ((top, bottom, height), (left, right, width))
    )
    return Still(rgb=_fitting(rgb[rows, columns], short_side), luma=_fitting(luma[rows, columns], short_side))


def sharpness(luma: Picture) -> float:
    """Variance of the Laplacian."""
    return float(cv2.Laplacian(luma, cv2.CV_16S).var())


def exposure(luma: Picture) -> float:
    """How well it is exposed, 0.04..1: mean over the pixels, which count most in the middle of the levels."""
    levels = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel()
    return float(levels @ WELL_EXPOSED / luma.size)


def difference_hash(luma: Picture) -> str:
    """64 bits in hex: whether each of 8 x 8 cells is darker than the one to its right.

    Pictures that look alike differ in few bits. Source: N. Krawetz, "Kind of Like That", hackerfactor.com, 2013.
    """
    small = cv2.resize(luma, (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] < small[:, 1:]).tobytes().hex()


def thumbnail(rgb: Picture) -> str:
    """The picture in 16 x 9 pixels, whatever its shape, row by row, in base 64."""
    return base64.b64encode(cv2.resize(rgb, THUMBNAIL, interpolation=cv2.INTER_AREA).tobytes()).decode()


def jpeg(rgb: Picture, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def _fitting(picture: Picture, short_side: int) -> Picture:
    height, width = picture.shape[:2]
    factor = short_side / min(height, width)
    if factor >= 1:
        return np.ascontiguousarray(picture)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
