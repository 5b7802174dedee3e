"""Images and texts, either or both, to what the model takes."""

from typing import Any

from transformers import BatchFeature, ProcessorMixin


class HarvestViltProcessor(ProcessorMixin):  # type: ignore[misc]
    """`pixel_values`, `input_ids`, `attention_mask`. Texts are cut at the model's length, padded to the longest."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, **kwargs: Any) -> None:
        super().__init__(image_processor, tokenizer, **kwargs)

    def __call__(
        self, images: Any = None, text: Any = None, return_tensors: str | None = None, **text_settings: Any
    ) -> BatchFeature:
        """`text_settings` go to the tokenizer, as padding="max_length"."""
        if images is None and text is None:
            raise ValueError("There is nothing to process: give images, text, or both.")
        found: dict[str, Any] = {}
        if text is not None:
            settings = {"padding": True, "truncation": True} | text_settings
            found |= self.tokenizer(text, return_tensors=return_tensors, **settings)
        if images is not None:
            found |= self.image_processor(images, return_tensors=return_tensors)
        return BatchFeature(found)
