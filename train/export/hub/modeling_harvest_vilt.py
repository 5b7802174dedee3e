"""The model as transformers knows models: the trained one inside, a face like CLIP's around it.

B  rows    L  text slots    N  patches    M  hidden patches    D  width    E  width of the shared space    S  side
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from train.export.hub.configuration_harvest_vilt import HarvestViltConfig
from train.models.embeddings import ImageInput, TextInput, shown_patches, whole_image
from train.models.vilt import Vilt


@dataclass
class HarvestViltOutput(ModelOutput):  # type: ignore[misc]
    """What one call found; None where it was not given what that takes."""

    text_hidden_states: Tensor | None = None  # (B, L, D), beside the image if there is one; slot 0 is [CLS]
    image_hidden_states: Tensor | None = None  # (B, 1 + shown patches, D); slot 0 speaks for the image
    logits: Tensor | None = None  # (B, L, vocabulary): the piece at every text slot
    patches: Tensor | None = None  # (B, M, numbers in a patch): the hidden ones, rebuilt
    text_embeds: Tensor | None = None  # (B, E) unit vectors: the texts alone
    image_embeds: Tensor | None = None  # (B, E) unit vectors: the images alone
    logits_per_text: Tensor | None = None  # (texts, images): cosines over the learned temperature
    logits_per_image: Tensor | None = None


class HarvestViltModel(PreTrainedModel):  # type: ignore[misc]
    """One transformer over text and image patches together, which also reads either alone."""

    config_class = HarvestViltConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: HarvestViltConfig) -> None:
        super().__init__(config)
        self.vilt = Vilt(
            config, vocabulary=config.vocabulary, text_length=config.text_length, image_size=config.image_size
        )
        self.post_init()

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        return_dict: bool | None = None,
        **_unused: Any,
    ) -> HarvestViltOutput | tuple[Any, ...]:
        """Read image and text together, and each alone for the space they share.

        pixel_values (B, 3, S, S) in 0..1; input_ids (B, L), with the mask's id where a piece is to be guessed;
        attention_mask (B, L), 0 at padding; bool_masked_pos (B, N), True where a patch is hidden and to be rebuilt,
        equally many in each row. `get_image_features` and `get_text_features` take one pass instead of three.
        """
        if pixel_values is None and input_ids is None:
            raise ValueError("Give pixel_values, input_ids, or both.")
        text = None if input_ids is None else _text(input_ids, attention_mask)
        whole = None if pixel_values is None else self._image(pixel_values)
        shown, hidden_BM = _split(whole, bool_masked_pos)
        encoded = self.vilt.encode(text, shown)
        output = HarvestViltOutput(
            text_hidden_states=encoded.text_RLD,
            image_hidden_states=encoded.image_RTD,
            logits=None if encoded.text_RLD is None else self.vilt.token_logits(encoded.text_RLD),
            patches=None if hidden_BM is None else self.vilt.rebuild(encoded, hidden_BM),
            **self._compared(text, whole),
        )
        wants_tuple = not (self.config.return_dict if return_dict is None else return_dict)
        return output.to_tuple() if wants_tuple else output

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Unit vectors (B, E) of images alone."""
        self._needs_shared_space()
        return self.vilt.embed_images(self._image(pixel_values))

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Unit vectors (B, E) of texts alone."""
        self._needs_shared_space()
        return self.vilt.embed_texts(_text(input_ids, attention_mask))

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.vilt.text.pieces

    def _image(self, pixel_values: Tensor) -> ImageInput:
        patches = self.vilt.patchify(pixel_values.float() * 255)
        return whole_image(patches.to(self.vilt.image.project.weight.dtype))

    def _compared(self, text: TextInput | None, image: ImageInput | None) -> dict[str, Tensor]:
        """The vectors of what there is, and where there are both, how well they agree."""
        if not self.config.shared_space:
            return {}
        found = {}
        if text is not None:
            found["text_embeds"] = self.vilt.embed_texts(text)
        if image is not None:
            found["image_embeds"] = self.vilt.embed_images(image)
        if len(found) == 2:
            found["logits_per_text"] = self.vilt.scale() * found["text_embeds"] @ found["image_embeds"].T
            found["logits_per_image"] = found["logits_per_text"].T
        return found

    def _needs_shared_space(self) -> None:
        if not self.config.shared_space:
            raise ValueError("This model was trained without contrast: images and texts share no space.")


def _text(input_ids: Tensor, attention_mask: Tensor | None) -> TextInput:
    return TextInput(tokens_RL=input_ids, real_RL=None if attention_mask is None else attention_mask.bool())


def _split(image: ImageInput | None, hidden_BN: Tensor | None) -> tuple[ImageInput | None, Tensor | None]:
    """The patches that are shown, and the places (B, M) of those that are not."""
    if image is None or hidden_BN is None:
        return image, None
    counts = hidden_BN.sum(dim=1)
    if counts.numel() and bool((counts != counts[0]).any()):
        raise ValueError(f"bool_masked_pos must hide equally many patches in each row, not {counts.tolist()}.")
    order = hidden_BN.int().argsort(dim=1, stable=True)  # shown ones first, in their order
    shown = hidden_BN.shape[1] - int(counts[0])
    return shown_patches(image.patches_RKP, order[:, :shown]), order[:, shown:]
