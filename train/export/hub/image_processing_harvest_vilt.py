"""Images to what the model takes: a square cut or squeezed as in evaluation, colours in 0..1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from transformers import BaseImageProcessor, BatchFeature

from train.data.square import squared, visible_box


class HarvestViltImageProcessor(BaseImageProcessor):  # type: ignore[misc]
    """`pixel_values` (B, 3, S, S), float32 in 0..1. The model itself standardises them."""

    model_input_names = ["pixel_values"]  # noqa: RUF012  # transformers' own way

    def __init__(self, image_size: int = 224, fit: str = "crop", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_size = image_size
        self.fit = fit  # "crop" sees the largest central square, "squeeze" all of the image

    def preprocess(self, images: Any, return_tensors: str | None = None) -> BatchFeature:
        """One or many PIL images, uint8 arrays (height, width, 3), paths or URLs."""
        found = self.fetch_images(images)
        squares = [self._square(image) for image in (found if isinstance(found, list | tuple) else [found])]
        return BatchFeature({"pixel_values": squares}, tensor_type=return_tensors)

    def _square(self, image: Any) -> NDArray[np.float32]:
        pixels = np.array(image.convert("RGB") if isinstance(image, Image.Image) else image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"An array of {pixels.dtype} {pixels.shape} is no image: give uint8 (height, width, 3).")
        height, width, _ = pixels.shape
        square = squared(pixels, visible_box((width, height), self.fit), self.image_size)
        return square.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
