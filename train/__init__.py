"""Pre-train, evaluate, ask and export a vision-and-language transformer learnt from paired image-text shards.

A trained model is asked from Python so:

    from train import load

    model = load("runs/pretrain-001")
    images, texts = ["kitchen.jpg", "garden.jpg"], ["chop the onions", "water the beds"]
    model.embed_images(images)  # (2, E): unit vectors
    model.embed_texts(texts)  # (2, E), in the same space
    model.score("kitchen.jpg", "chop the onions")  # their cosine
    model.scores(images, texts)  # (2, 2): every image with every text
    model.fill("kitchen.jpg", "chop the [MASK]")  # the likeliest words
"""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.api import Model

__all__ = ["load"]


def load(run: str | PathLike[str], *, device: str = "auto") -> "Model":
    """The model that `train pretrain` left in the folder `run`: a run, of which the latest checkpoint is taken, or a
    checkpoint of its own.

    `device` is "auto" (a GPU where there is one), "cpu", or what torch calls a device. Raises RequestError, with a
    sentence, where there is no such run, its checkpoint is damaged, or there is no such device.
    """
    from train.api import Model  # with it comes torch, for which `import train` should not wait

    return Model.load(run, device=device)
