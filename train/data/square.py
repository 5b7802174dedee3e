"""A decoded image to the square that the model sees: its centre, or the whole of it squeezed.

Needs nothing but PIL, as exported models carry this file along.
"""

from PIL import Image

Box = tuple[float, float, float, float]  # left, upper, right, lower


def visible_box(size: tuple[int, int], fit: str) -> Box:
    """What is seen of an image of `size` (width, height): all by "squeeze", the largest central square by "crop"."""
    width, height = size
    if fit == "squeeze":
        return (0, 0, width, height)
    side = min(size)
    left, upper = (width - side) / 2, (height - side) / 2
    return (left, upper, left + side, upper + side)


def resized(image: Image.Image, side: int, box: Box) -> Image.Image:
    """The part of `image` inside `box`, as a square of `side` pixels."""
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
