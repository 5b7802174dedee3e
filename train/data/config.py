"""Settings of the data side: what a sample is turned into, and how it is read."""

from typing import Literal

from pydantic import Field

from configs.loading import Config


class AugmentConfig(Config):
    """Changes of a training image that leave its caption true: nothing is mirrored, for captions say left and right."""

    shift: float = Field(0.0, ge=0, lt=0.5)  # share of the side that a random crop may cut away
    brightness: float = Field(0.0, ge=0, lt=1)  # pixels are scaled by 1 ± this
    contrast: float = Field(0.0, ge=0, lt=1)


class DataConfig(Config):
    """How samples become batches."""

    image_size: int = Field(224, ge=16)  # pixels, square
    fit: Literal["crop", "squeeze"] = "crop"  # centre crop, or the whole frame squeezed into the square
    text_length: int = Field(40, ge=4)  # pieces, [CLS] included; longer captions are cut
    batch_size: int = Field(256, ge=1)
    workers: int = Field(4, ge=0)  # processes that decode; 0 decodes in the training process
    shards_per_group: int = Field(4, ge=1)  # samples are shuffled among this many shards at a time
    augment: AugmentConfig = AugmentConfig()
