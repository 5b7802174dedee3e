"""A picture of what was found: a row a caption, its best images from left to right, right ones framed in green."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from train.drawing import GREEN, GREY, INK, PAPER, as_png, fitting, font

TILE = 128  # pixels
FRAME = 4
GAP = 8
LINE = 24  # of text


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
    return as_png(sheet)


def _draw_query(sheet: Image.Image, query: Query, *, top: int, cell: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, top), fitting(draw, query.caption, sheet.width - 2 * GAP), fill=INK, font=font())
    for column, (pixels, right) in enumerate(zip(query.images, query.right, strict=True)):
        left, upper = GAP + column * cell, top + LINE
        edge = TILE + 2 * FRAME
        draw.rectangle((left, upper, left + edge - 1, upper + edge - 1), fill=GREEN if right else GREY)
        image = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC)
        sheet.paste(image, (left + FRAME, upper + FRAME))
