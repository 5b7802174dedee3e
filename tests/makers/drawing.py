"""Pictures drawn in code: two coloured shapes in a relation on a plain, lightly textured background.

A `Fact` goes in ("a red circle is over a blue square"), an RGB array comes out, the same one for the same seed.
Everything lies within the central square, so a square crop of a 4:3 picture loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]  # height x width x RGB
Point = tuple[float, float]
Colour = tuple[int, int, int]

SIZE = (320, 240)  # width and height in pixels
COLOURS: dict[str, Colour] = {
    "red": (214, 32, 38),
    "green": (24, 140, 56),
    "blue": (32, 78, 208),
    "yellow": (246, 212, 24),
    "purple": (130, 44, 164),
    "black": (24, 24, 28),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
# "Over" and "under" because small Whisper models hear "above a" as "about".
RELATIONS: dict[str, Point] = {  # where the first thing lies, seen from the second
    "is to the left of": (-1.0, 0.0),
    "is to the right of": (1.0, 0.0),
    "is over": (0.0, -1.0),
    "is under": (0.0, 1.0),
}
# Hues and brightness far enough apart for every pair of them to make a cut that a detector can see.
BACKGROUNDS: tuple[Colour, ...] = (
    (240, 232, 208),
    (186, 208, 236),
    (190, 226, 190),
    (240, 194, 206),
    (168, 168, 168),
)
GRAIN = 5.0  # standard deviation of the texture, in levels of 255
OVERSAMPLING = 2  # shapes are drawn this much larger, then scaled down: smooth edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    colour: str
    shape: str

    @property
    def phrase(self) -> str:
        return f"a {self.colour} {self.shape}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    first: Thing
    relation: str
    second: Thing

    @property
    def phrases(self) -> tuple[str, str, str]:
        return (self.first.phrase, self.relation, self.second.phrase)

    @property
    def sentence(self) -> str:
        return " ".join(self.phrases)


def draw_fact(fact: Fact, *, seed: int, background: int = 0, size: tuple[int, int] = SIZE) -> Picture:
    """The picture of `fact`; the seed moves and scales the things a little and sets the texture."""
    random = np.random.default_rng([seed, 1])
    width, height = (OVERSAMPLING * length for length in size)
    canvas = Image.new("RGB", (width, height), BACKGROUNDS[background % len(BACKGROUNDS)])
    pen = ImageDraw.Draw(canvas)
    across, down = RELATIONS[fact.relation]
    for thing, side in ((fact.first, 1.0), (fact.second, -1.0)):
        jitter = random.uniform(-0.045, 0.045, size=2)
        centre = (
            width / 2 + height * (0.245 * side * across + float(jitter[0])),
            height / 2 + height * (0.235 * side * down + float(jitter[1])),
        )
        _OUTLINES[thing.shape](pen, centre, height * float(random.uniform(0.15, 0.18)), COLOURS[thing.colour])
    return _grainy(canvas.resize(size, Image.Resampling.BOX), random)


def draw_title(text: str, *, seed: int = 0, size: tuple[int, int] = SIZE) -> Picture:
    """A title card: white words on dark grey."""
    card = Image.new("RGB", size, (40, 44, 52))
    font = ImageFont.load_default(size[1] / 8)
    ImageDraw.Draw(card).text((size[0] / 2, size[1] / 2), text, fill=(240, 240, 240), font=font, anchor="mm")
    return _grainy(card, np.random.default_rng([seed, 2]))


def blank(level: int = 0, *, size: tuple[int, int] = SIZE) -> Picture:
    """A frame of one grey level and nothing else: black leader by default."""
    return np.full((size[1], size[0], 3), level, np.uint8)


def _grainy(picture: Image.Image, random: np.random.Generator) -> Picture:
    levels = np.asarray(picture, np.float32)
    grain = random.normal(0.0, GRAIN, size=levels.shape[:2])[:, :, None]
    return np.clip(np.rint(levels + grain), 0, 255).astype(np.uint8)


def _circle(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _square(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    half = 0.9 * radius
    pen.rectangle((x - half, y - half, x + half, y + half), fill=colour)


def _triangle(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    pen.polygon([(x, y - radius), (x + radius, y + 0.8 * radius), (x - radius, y + 0.8 * radius)], fill=colour)


def _star(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour) -> None:
    corners = []
    for corner in range(10):
        angle = np.pi * corner / 5
        reach = 1.1 * radius * (1.0 if corner % 2 == 0 else 0.42)
        corners.append((centre[0] + reach * float(np.sin(angle)), centre[1] - reach * float(np.cos(angle))))
    pen.polygon(corners, fill=colour)


def _cross(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    arm = 0.32 * radius
    pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=colour)
    pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=colour)


_OUTLINES: dict[str, Callable[[ImageDraw.ImageDraw, Point, float, Colour], None]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
}
