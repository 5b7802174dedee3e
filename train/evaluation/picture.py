"""A picture of what was found: a row a caption, its best images from left to right, right ones framed in green."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE = 128  # pixels
FRAME = 4
GAP = 8
LINE = 24  # of text
GREEN, GREY, INK, PAPER = (20, 160, 60), (200, 200, 200), (30, 30, 30), (255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A caption and the images found for it, best first."""

    caption: str
    images: Sequence[NDArray[np.uint8]]  # (S, S, 3)
    right: Sequence[bool]


def contact_sheet(queries: Sequence[Query]) -> bytes:
    """The queries as a PNG, one below the other."""
    columns = max((len(query.images) for query in queries), default=1)
    cell = TILE + 2 * FRAME + GAP
    sheet = Image.new("RGB", (GAP + max(3, columns) * cell, GAP + max(1, len(queries)) * (cell + LINE)), PAPER)
    for row, query in enumerate(queries):
        _draw_query(sheet, query, top=GAP + row * (cell + LINE), cell=cell)
    stored = io.BytesIO()
    sheet.save(stored, "PNG")
    return stored.getvalue()


def _draw_query(sheet: Image.Image, query: Query, *, top: int, cell: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, top), _fitting(draw, query.caption, sheet.width - 2 * GAP), fill=INK, font=_font())
    for column, (pixels, right) in enumerate(zip(query.images, query.right, strict=True)):
        left, upper = GAP + column * cell, top + LINE
        edge = TILE + 2 * FRAME
        draw.rectangle((left, upper, left + edge - 1, upper + edge - 1), fill=GREEN if right else GREY)
        image = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC)
        sheet.paste(image, (left + FRAME, upper + FRAME))


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    if draw.textlength(text, font=_font()) <= width:
        return text
    while text and draw.textlength(f"{text}…", font=_font()) > width:
        text = text[:-1]
    return f"{text}…"


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(14)
