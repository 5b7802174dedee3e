"""Settings of the data side: what a sample is turned into, and how it is read."""

from typing import Literal

from pydantic import Field, field_validator

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
    weights: tuple[float, ...] = ()  # share of the rows of each set, in the order of --shards; empty: by their sizes
    corrupt: Literal["raise", "skip"] = "raise"  # what cannot be read ends the training, or others take its place
    augment: AugmentConfig = AugmentConfig()

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < weight < float("inf") for weight in weights):
            raise ValueError("each weight must be a number above 0: leave out a set that is not to be read")
        return weights
