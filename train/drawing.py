"""What all our pictures are drawn with: one font, a few colours, PNG."""

import functools
import io

from PIL import Image, ImageDraw, ImageFont

GREEN, RED, GREY, INK, PAPER = (20, 160, 60), (205, 60, 50), (200, 200, 200), (30, 30, 30), (255, 255, 255)
PALE_GREEN, PALE_RED, DIM = (205, 238, 212), (250, 214, 208), (125, 125, 125)

Colour = tuple[int, int, int]


@functools.cache
def font(size: int = 14) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own. It has Latin letters; what it lacks is drawn as a box."""
    return ImageFont.load_default(size)


def fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """As much of the text as fits into `width` pixels, with an ellipsis where some is cut."""
    if draw.textlength(text, font=font()) <= width:
        return text
    while text and draw.textlength(f"{text}…", font=font()) > width:
        text = text[:-1]
    return f"{text}…"


def as_png(image: Image.Image) -> bytes:
    stored = io.BytesIO()
    image.save(stored, "PNG")
    return stored.getvalue()
