"""Settings of the model."""

from pydantic import Field, model_validator

from configs.loading import Config
from train.models.embeddings import Positions


class ModelConfig(Config):
    """Geometry of the model."""

    width: int = Field(768, ge=8)
    depth: int = Field(12, ge=1)
    heads: int = Field(12, ge=1)
    patch: int = Field(32, ge=4)  # pixels
    positions: Positions = "learned"
    dropout: float = Field(0.0, ge=0, lt=1)
    decoder_width: int = Field(512, ge=8)
    decoder_depth: int = Field(2, ge=1, le=2)
    decoder_heads: int = Field(8, ge=1)
    shared_width: int = Field(256, ge=8)  # of the embedding that images and texts share
    # Weights to start from: a ViT's .safetensors file, a ViT by its name in timm, or a run or checkpoint of `train`.
    start_from: str = ""
    # Text embeddings to start from: a BERT's folder (model.safetensors and vocab.txt or tokenizer.json) or hub name.
    text_from: str = ""
    # Compute activations again in the backward pass: far less memory, about a third more time.
    recompute: bool = False

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> "ModelConfig":
        for width, heads in ((self.width, self.heads), (self.decoder_width, self.decoder_heads)):
            if width % (4 * heads):
                raise ValueError(f"a width of {width} must be a multiple of 4 times its {heads} heads")
        return self
