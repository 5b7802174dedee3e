"""A stranger's picture to a JPEG that every reader shows alike.

    bytes -> size checked before decoding -> decoded whole -> kept byte for byte, or turned upright and encoded anew

A sound, upright JPEG in grey or RGB is kept as it is unless it is to be made smaller. Nothing is ever enlarged.
"""

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps

from shards.codec import MAX_MEMBER_BYTES
from shards.validate import MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
MAX_BYTES = MAX_MEMBER_BYTES["jpg"]
MAX_SIDE = 65_500  # libjpeg writes no longer one
QUALITY = 90
ORIENTATION = 0x0112  # the EXIF tag
# What Pillow's decoders raise on bytes that somebody has made or damaged.
MALFORMED = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, MemoryError, RecursionError),
    *(struct.error, zlib.error),
)

Box = tuple[int, int, int, int]  # left, upper, right, lower


class Unusable(Exception):
    """A picture that cannot be stored; `reason` stands in the row of the dropped sample."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A JPEG to be stored."""

    jpeg: bytes
    width: int  # pixels
    height: int
    sha256: str
    boxes: tuple[Box, ...] = ()  # where each picture lies, if it was put together from several


def stored(contents: Sequence[bytes], *, size: int = 0) -> Picture:
    """The picture to store, of one file's bytes or of several put side by side.

    A short side above `size` pixels is shrunk to it; 0 leaves it. Raises Unusable: corrupt, too_many_pixels,
    too_many_bytes, or colours (a mode without an obvious RGB, as 16-bit grey).
    """
    if any(len(content) > MAX_BYTES for content in contents):
        raise Unusable("too_many_bytes")
    with _refusing_malformed():
        if len(contents) == 1 and (kept := _as_it_is(contents[0], size)):
            return kept
        return _encoded([_upright(content, size) for content in contents])


@contextmanager
def _refusing_malformed() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, and of sizes below our own limit
        try:
            yield
        except Image.DecompressionBombError:  # far above our own limit
            raise Unusable("too_many_pixels") from None
        except MALFORMED:
            raise Unusable("corrupt") from None


def _opened(content: bytes) -> Image.Image:
    """The picture with its size checked, its pixels not yet decoded."""
    Image.init()  # else Pillow knows nothing of WebP
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
        raise Unusable("too_many_pixels")
    if image.mode not in MODES:
        raise Unusable("colours")
    return image


def _as_it_is(content: bytes, size: int) -> Picture | None:
    image = _opened(content)
    plain = image.format == "JPEG" and image.mode in ("L", "RGB") and image.getexif().get(ORIENTATION, 1) == 1
    if not plain or 0 < size < min(image.size):
        return None
    image.load()  # to the last row: what is torn is refused
    return _picture(content, image)


def _upright(content: bytes, size: int) -> Image.Image:
    """RGB pixels as they are to be seen, on white where they are transparent."""
    image = _opened(content)
    if 0 < size < min(image.size):
        image.draft(None, _shrunk(image.size, 2 * size))  # a JPEG decoder's own halving, where it leaves enough
    image = ImageOps.exif_transpose(image)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    return image.resize(_shrunk(image.size, size), Image.Resampling.LANCZOS) if 0 < size < min(image.size) else image


def _shrunk(sides: tuple[int, int], size: int) -> tuple[int, int]:
    scale = min(1.0, size / min(sides))
    return round(sides[0] * scale), round(sides[1] * scale)


def _encoded(images: Sequence[Image.Image]) -> Picture:
    """One JPEG; several pictures stand side by side, their upper edges in line, on black."""
    width, height = sum(image.width for image in images), max(image.height for image in images)
    if width * height > MAX_PIXELS or width > MAX_SIDE:
        raise Unusable("too_many_pixels")
    sheet, boxes, left = Image.new("RGB", (width, height)), [], 0
    for image in images:
        sheet.paste(image, (left, 0))
        boxes.append((left, 0, left + image.width, image.height))
        left += image.width
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    if file.tell() > MAX_BYTES:
        raise Unusable("too_many_bytes")
    return _picture(file.getvalue(), sheet, boxes if len(images) > 1 else ())


def _picture(jpeg: bytes, image: Image.Image, boxes: Sequence[Box] = ()) -> Picture:
    digest = hashlib.sha256(jpeg).hexdigest()
    return Picture(jpeg=jpeg, width=image.width, height=image.height, sha256=digest, boxes=tuple(boxes))
