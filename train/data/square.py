"""A decoded image to the square that the model sees: its centre, or the whole of it squeezed.

Needs nothing of this package, as exported models carry this file along.
"""

import numpy as np
import torch
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # left, upper, right, lower


def visible_box(size: tuple[int, int], fit: str) -> Box:
    """What is seen of an image of `size` (width, height): all by "squeeze", the largest central square by "crop"."""
    width, height = size
    if fit == "squeeze":
        return (0, 0, width, height)
    side = min(size)
    left, upper = (width - side) / 2, (height - side) / 2
    return (left, upper, left + side, upper + side)


def squared(image_HWC: NDArray[np.uint8], box: Box, side: int) -> NDArray[np.uint8]:
    """The pixels of `image_HWC` inside `box`, to whole ones, as a square (side, side, 3).

    Averaging as PIL's BILINEAR does, from which it differs by rounding, in half the time.
    """
    left, upper, right, lower = (round(edge) for edge in box)
    visible = torch.from_numpy(image_HWC[upper : max(lower, upper + 1), left : max(right, left + 1)])
    batch_1CHW = visible.permute(2, 0, 1)[None]
    square = torch.nn.functional.interpolate(batch_1CHW, (side, side), mode="bilinear", antialias=True)
    return np.asarray(square[0].permute(1, 2, 0))
