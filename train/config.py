"""All settings of `train`, each section declared beside what it sets."""

from typing import ClassVar

from pydantic import Field, model_validator

from configs.loading import Config
from train.data.config import DataConfig
from train.data.tokenizer import TokenizerConfig
from train.models.config import ModelConfig
from train.objectives.config import ObjectiveConfig
from train.optim import OptimConfig
from train.trainer import TrainerConfig


class TrainConfig(Config):
    """Settings of a pre-training run; named ones are in configs/train/."""

    group: ClassVar[str] = "train"

    seed: int = Field(0, ge=0)  # of weights, masks, order and augmentation
    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optim: OptimConfig = OptimConfig()
    trainer: TrainerConfig = TrainerConfig()

    @model_validator(mode="after")
    def _patches_fill_the_image(self) -> "TrainConfig":
        if self.data.image_size % self.model.patch:
            raise ValueError(
                f"data.image_size={self.data.image_size} must be a multiple of model.patch={self.model.patch}"
            )
        if self.data.image_size == self.model.patch:
            raise ValueError(
                f"an image of one patch (data.image_size={self.model.patch}) leaves nothing to see or hide"
            )
        return self
