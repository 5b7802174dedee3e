"""Pictures as varied as photographs are: clouds of colour at all scales, things before them, grain.

A number goes in, a canvas larger than the film's frame comes out, so that a camera can move over it.
"""

import functools

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]  # height x width x RGB

SIZE = (640, 360)  # of a film's frame
CANVAS = (1024, 576)
THINGS = (5, 14)  # fewest and most on a canvas
GRAIN = 3.0  # standard deviation, in levels of 255


@functools.lru_cache(maxsize=64)
def scenery(number: int, mood: int = -1) -> Picture:
    """A canvas of its own for each number; those of one `mood` share their colours, as shots of one room do."""
    random = np.random.default_rng([number, 11])
    palette = np.random.default_rng([mood, 13] if mood >= 0 else [number, 14]).uniform(20, 235, size=(3, 3))
    clouds = _clouds(random)[:, :, None]
    other = _clouds(random)[:, :, None]
    levels = palette[0] * (1 - clouds) + palette[1] * clouds
    levels = levels * (1 - 0.5 * other) + palette[2] * 0.5 * other
    canvas = np.ascontiguousarray(np.clip(levels, 0, 255).astype(np.uint8))
    for _ in range(int(random.integers(*THINGS))):
        _put_thing(canvas, random)
    grain = random.normal(0, GRAIN, canvas.shape[:2])[:, :, None]
    finished: Picture = np.clip(canvas + grain, 0, 255).astype(np.uint8)
    finished.flags.writeable = False
    return finished


def slide(number: int, lines: tuple[str, ...]) -> Picture:
    """A page of a presentation: dark words on a light ground, and a drawing."""
    random = np.random.default_rng([number, 12])
    ground = random.integers(215, 256, size=3).tolist()
    canvas = np.full((CANVAS[1], CANVAS[0], 3), ground, np.uint8)
    cv2.rectangle(canvas, (0, 0), (CANVAS[0], 90), random.integers(20, 160, size=3).tolist(), -1)
    for row, line in enumerate(lines):
        place = (60, 60 if row == 0 else 120 + 60 * row)
        cv2.putText(canvas, line, place, cv2.FONT_HERSHEY_SIMPLEX, 1.0, (245,) * 3 if row == 0 else (30,) * 3, 2)
    inset = cv2.resize(scenery(number), (CANVAS[0] // 3, CANVAS[1] // 3), interpolation=cv2.INTER_AREA)
    canvas[-inset.shape[0] - 30 : -30, -inset.shape[1] - 40 : -40] = inset
    return canvas


def _clouds(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """0..1, rough at every scale."""
    total = np.zeros((CANVAS[1], CANVAS[0]))
    for octave in range(6):
        cells = random.normal(size=(3 * 2**octave, 5 * 2**octave))
        total += cv2.resize(cells, CANVAS, interpolation=cv2.INTER_CUBIC) * 0.55**octave
    low, high = np.percentile(total, (1, 99))
    clouds: npt.NDArray[np.float64] = np.clip((total - low) / (high - low), 0, 1)
    return clouds


def _put_thing(canvas: Picture, random: np.random.Generator) -> None:
    centre = (random.uniform(0.05, 0.95, size=2) * CANVAS).astype(int)
    reach = random.uniform(0.04, 0.16) * CANVAS[1]
    corners = int(random.integers(3, 40))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    radii = reach * random.uniform(0.6, 1.4, corners)
    outline = np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], axis=1)
    colour = random.integers(0, 256, size=3).tolist()
    cv2.fillPoly(canvas, [outline.astype(np.int32)], colour, lineType=cv2.LINE_AA)
    cv2.polylines(canvas, [outline.astype(np.int32)], True, (np.asarray(colour) // 2).tolist(), 2, cv2.LINE_AA)
