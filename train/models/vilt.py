"""One transformer over text and image patches together (ViLT), which also reads either alone.

    pieces  -> TextEmbedding  -+
                               +-> one stream of slots -> blocks -> Encoded -> heads
    patches -> PatchEmbedding -+

Patches that are hidden never enter; hidden pieces enter as [MASK], so that an image alone can be asked for a whole
caption. Knows nothing of losses, of which things are hidden, or of how it is trained.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.models.config import ModelConfig
from train.models.embeddings import (
    ImageInput,
    PatchEmbedding,
    TextEmbedding,
    TextInput,
    patchify,
)
from train.models.heads import BagHead, MatchingHead, PatchDecoder, Projection, TokenHead
from train.models.layers import blocks

MAX_LOGIT_SCALE = math.log(100)  # a temperature below 0.01 makes the contrast's gradients explode


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The encoder's output. `text_RLD` slot 0 speaks for the caption, `image_RTD` slot 0 for the image (T = 1 + K)."""

    text_RLD: Tensor | None
    image_RTD: Tensor | None
    slots_RTD: Tensor  # both, as one stream
    attend_RT: Tensor | None  # False at padding; None if there is none


class Vilt(nn.Module):
    """The encoder with its heads."""

    def __init__(self, config: ModelConfig, *, vocabulary: int, text_length: int, image_size: int) -> None:
        super().__init__()
        self.patch = config.patch
        self.patches = (image_size // config.patch) ** 2
        numbers = 3 * config.patch**2
        width = config.width
        self.text = TextEmbedding(vocabulary=vocabulary, length=text_length, width=width, positions=config.positions)
        self.image = PatchEmbedding(numbers=numbers, patches=self.patches, width=width, positions=config.positions)
        self.blocks = blocks(width=width, depth=config.depth, heads=config.heads, dropout=config.dropout)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.token_head = TokenHead(width=width, vocabulary=vocabulary)
        self.bag_head = BagHead(width=width, vocabulary=vocabulary)
        self.decoder = PatchDecoder(
            width=width,
            inner=config.decoder_width,
            depth=config.decoder_depth,
            heads=config.decoder_heads,
            patches=self.patches,
            numbers=numbers,
        )
        self.blocks.recompute = self.decoder.blocks.recompute = config.recompute
        self.image_projection = Projection(width=width, shared=config.shared_width)
        self.text_projection = Projection(width=width, shared=config.shared_width)
        self.matching_head = MatchingHead(width=width)
        # Of the similarities; CLIP's start. One number in a row, for FSDP2 cuts nothing that has no rows.
        self.log_scale = nn.Parameter(torch.tensor([math.log(1 / 0.07)]))

    def reset_weights(self, generator: torch.Generator) -> None:
        """Draw all weights anew, so that they depend on `generator` alone."""
        for name, parameter in self.named_parameters():
            kind = name.rpartition(".")[2]
            if name == "log_scale":
                continue
            if kind in {"type_D", "summary_D", "query_D", "places_LD", "places_ND"} or name == "text.pieces.weight":
                nn.init.normal_(parameter, std=0.02, generator=generator)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter, generator=generator)
            elif kind in {"bias", "bias_V"}:
                nn.init.zeros_(parameter)

    def encode(self, text: TextInput | None, image: ImageInput | None) -> Encoded:
        """One pass over the slots of whatever is given."""
        assert text is not None or image is not None
        parts = []
        if text is not None:
            parts.append(self.text(text.tokens_RL))
        if image is not None:
            parts.append(self.image(image))
        slots = torch.cat(parts, dim=1)
        attend_RT = _attended(text, slots)
        slots = self.norm(self.blocks(slots, attend_RT))
        length = 0 if text is None else text.tokens_RL.shape[1]
        return Encoded(
            text_RLD=slots[:, :length] if text is not None else None,
            image_RTD=slots[:, length:] if image is not None else None,
            slots_RTD=slots,
            attend_RT=attend_RT,
        )

    def token_logits(self, vectors_RHD: Tensor) -> Tensor:
        logits: Tensor = self.token_head(vectors_RHD, self.text.pieces.weight)
        return logits

    def rebuild(self, encoded: Encoded, hidden_RM: Tensor) -> Tensor:
        """The numbers (R, M, P) of the patches at the places `hidden_RM`."""
        numbers: Tensor = self.decoder(encoded.slots_RTD, encoded.attend_RT, hidden_RM)
        return numbers

    def patchify(self, images_BCSS: Tensor) -> Tensor:
        return patchify(images_BCSS, self.patch)

    def embed_images(self, image: ImageInput) -> Tensor:
        """Image-only pass: points (R, E) on the shared sphere."""
        encoded = self.encode(None, image)
        assert encoded.image_RTD is not None
        points: Tensor = self.image_projection(encoded.image_RTD[:, 0])
        return points

    def embed_texts(self, text: TextInput) -> Tensor:
        """Text-only pass: points (R, E) on the shared sphere."""
        encoded = self.encode(text, None)
        assert encoded.text_RLD is not None
        points: Tensor = self.text_projection(encoded.text_RLD[:, 0])
        return points

    def match(self, text: TextInput, image: ImageInput) -> Tensor:
        """Both read together: logits (R, 2) of (no match, match)."""
        encoded = self.encode(text, image)
        assert encoded.text_RLD is not None and encoded.image_RTD is not None
        logits_R2: Tensor = self.matching_head(encoded.text_RLD[:, 0], encoded.image_RTD[:, 0])
        return logits_R2

    def scale(self) -> Tensor:
        """What similarities are multiplied by: one over the temperature."""
        return self.log_scale.exp().squeeze(0)

    @torch.no_grad()
    def limit_scale(self) -> None:
        """Keep the temperature from falling too low: after a step, as a clamp in `scale` would have no gradient."""
        self.log_scale.clamp_(max=MAX_LOGIT_SCALE)


def _attended(text: TextInput | None, slots: Tensor) -> Tensor | None:
    """False at the text's padding; image slots always count."""
    if text is None or text.real_RL is None:
        return None
    image_slots = slots.shape[1] - text.real_RL.shape[1]
    return nn.functional.pad(text.real_RL, (0, image_slots), value=True)
