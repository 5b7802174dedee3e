"""A trained model as Python sees it: pictures and texts in, vectors, scores and guesses out.

Every call is deterministic: the same pictures and texts give the same bits on a CPU. Results lie on the CPU. Nothing
is drawn on the screen, and no setting of torch is changed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from train.commands.assembly import chosen_device
from train.errors import RequestError
from train.models.embeddings import TextInput, whole_image
from train.pictures import Picture, as_list, pixels_of
from train.trained import Trained

logger = logging.getLogger(__name__)

ROWS = 64  # of a forward pass
MASK = "[MASK]"  # as a person writes it, whatever the tokenizer's own piece is

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A piece of the vocabulary for a place in a text. A piece that goes on a word begins with ##."""

    word: str
    probability: float


class Model:
    """A trained model, ready to be asked. `train.load` makes one."""

    def __init__(self, trained: Trained, device: torch.device) -> None:
        self._trained = trained
        self._model = trained.model.to(device).eval()
        self._device = device

    @classmethod
    def load(cls, run: str | PathLike[str], *, device: str = "auto") -> "Model":
        """See `train.load`."""
        return cls(Trained.load(Path(run)), _device(device))

    def __repr__(self) -> str:
        checkpoint = self._trained.checkpoint
        return f"<Model of {checkpoint.folder}, step {checkpoint.state.step}, on {self._device}>"

    def embed_images(self, images: Picture | Sequence[Picture]) -> Tensor:
        """Unit vectors (n, E), float32: the image-only pass, in the space that images and texts share.

        A picture is a path, the bytes of an image file, a PIL image, or a uint8 array (height, width, 3). Raises
        DataError for what is not one, and RequestError where the model was trained without contrast, which alone
        teaches that space.
        """
        self._needs_shared_space()
        return self._in_batches(as_list(images), self._images_of)

    def embed_texts(self, texts: str | Sequence[str]) -> Tensor:
        """Unit vectors (n, E), float32: the text-only pass. Longer texts than the model reads are cut, with a warning.

        Raises RequestError where the model was trained without contrast.
        """
        self._needs_shared_space()
        return self._in_batches([texts] if isinstance(texts, str) else list(texts), self._texts_of)

    def score(self, image: Picture, text: str) -> float:
        """How well `text` fits `image`: the cosine of their vectors, in -1..1.

        It is the similarity by which `train eval --task retrieval` ranks on its dual route. It is no probability:
        only compare it with other scores of one model.
        """
        return float(self.scores([image], [text])[0, 0])

    def scores(self, images: Picture | Sequence[Picture], texts: str | Sequence[str]) -> Tensor:
        """The score of every image (rows) with every text (columns): (images, texts), float32."""
        return self.embed_images(images) @ self.embed_texts(texts).T

    @torch.no_grad()
    def fill(self, image: Picture, text: str, *, best: int = 5) -> list[Guess]:
        """The `best` pieces for the one [MASK] in `text` beside `image`, most probable first.

        Raises RequestError where there is not exactly one [MASK], where the text is too long, or where the model was
        trained without rebuilding words beside an image.
        """
        if not self._trained.config.objective.weights.joint_text:
            raise RequestError(
                "This model never learnt to fill in words beside an image: train one with "
                "objective.weights.joint_text above 0."
            )
        tokens_1L, place = self._with_mask(text)
        encoded = self._model.encode(
            TextInput(tokens_RL=tokens_1L.to(self._device), real_RL=None), whole_image(self._patches([image]))
        )
        assert encoded.text_RLD is not None
        logits_V = self._model.token_logits(encoded.text_RLD[:, place]).float()[0].cpu()
        tokenizer = self._trained.tokenizer
        logits_V[list(tokenizer.special)] = -torch.inf
        found = logits_V.softmax(dim=0).topk(min(best, len(logits_V) - len(tokenizer.special)))
        return [
            Guess(word=tokenizer.pieces.decode([number]).strip(), probability=probability)
            for probability, number in zip(found.values.tolist(), found.indices.tolist(), strict=True)
        ]

    def _needs_shared_space(self) -> None:
        if not self._trained.learnt.shared:
            raise RequestError(
                f"The model of {self._trained.run} was trained without contrast, so images and texts share no space in "
                "which they could be compared: train one with objective.contrastive.weight above 0."
            )

    @torch.no_grad()
    def _in_batches(self, items: list[Item], embed: Callable[[list[Item]], Tensor]) -> Tensor:
        rows = [embed(items[start : start + ROWS]).float().cpu() for start in range(0, len(items), ROWS)]
        return torch.cat(rows) if rows else torch.empty(0, self._trained.config.model.shared_width)

    def _images_of(self, pictures: list[Picture]) -> Tensor:
        return self._model.embed_images(whole_image(self._patches(pictures)))

    def _patches(self, pictures: list[Picture]) -> Tensor:
        return self._model.patchify(pixels_of(pictures, self._trained.config.data).to(self._device))

    def _texts_of(self, texts: list[str]) -> Tensor:
        length = self._trained.config.data.text_length
        pieces = self._trained.tokenizer.encode(texts, length + 1)  # one more, to see what is cut
        if cut := int(pieces.real_BL[:, length].sum()):
            logger.warning("%d of %d texts are longer than the %d pieces read, and are cut.", cut, len(texts), length)
        tokens_RL, real_RL = pieces.tokens_BL[:, :length], pieces.real_BL[:, :length]
        return self._model.embed_texts(
            TextInput(tokens_RL=tokens_RL.to(self._device), real_RL=real_RL.to(self._device))
        )

    def _with_mask(self, text: str) -> tuple[Tensor, int]:
        """tokens_1L, and the slot of the one piece that is to be guessed."""
        parts, length = text.split(MASK), self._trained.config.data.text_length
        if len(parts) != 2:
            raise RequestError(f"The text {text!r:.80} has {len(parts) - 1} times {MASK}: write it once.")
        pieces = self._trained.tokenizer.encode(parts, length + 1)
        before, after = (tokens[real] for tokens, real in zip(pieces.tokens_BL, pieces.real_BL, strict=True))
        tokens = torch.cat([before, torch.tensor([self._trained.tokenizer.mask]), after[1:]])  # one [CLS] is enough
        if len(tokens) > length:
            raise RequestError(
                f"The text {text!r:.80} is longer than the {length} pieces this model reads: shorten it."
            )
        return tokens.unsqueeze(0), len(before)


def _device(name: str) -> torch.device:
    if name == "auto":
        return chosen_device(name)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise RequestError(f"The device {name!r} cannot be used ({reason}): give 'auto', 'cpu' or 'cuda'.") from None
    return device
