"""The settings of an exported model, as transformers keeps them: config.json."""

from transformers import PreTrainedConfig


class HarvestViltConfig(PreTrainedConfig):  # type: ignore[misc]
    """Geometry, under the names that `train` gives it, and what hangs on tokenizer and pixels.

    width, depth, heads, patch, positions, dropout, decoder_width, decoder_depth, decoder_heads, shared_width:
    see `configs` of harvest-train. vocabulary: pieces. text_length: pieces read, [CLS] included. image_size: pixels.
    shared_space: whether training taught the space in which images and texts are compared. All stand in config.json;
    there are no defaults, for a model of other sizes than its weights is none.
    """

    model_type = "harvest_vilt"
    attribute_map = {  # noqa: RUF012  # transformers' own way
        "hidden_size": "width",
        "num_hidden_layers": "depth",
        "num_attention_heads": "heads",
        "patch_size": "patch",
        "vocab_size": "vocabulary",
        "max_position_embeddings": "text_length",
        "projection_dim": "shared_width",
    }
