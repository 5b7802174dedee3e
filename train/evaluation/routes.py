"""Ways of one model to tell how well captions and images agree: each gives a similarity (Q captions, A images).

dual       cosine of the text-only and the image-only pass: Q + A passes
fullmask   with all text hidden the output depends on the image alone, so one pass an image gives the likelihood
           of every caption by look-up: A passes. The prior of a caption, its mean likelihood over the images, is
           divided out; without that, short and common captions win every image.

A route reads only what the objective trained; where it trained nothing that a route reads, the route is closed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from train.evaluation.base import Subject
from train.evaluation.gallery import Gallery
from train.models.embeddings import TextInput, whole_image
from train.models.vilt import Vilt
from train.objectives.config import Learnt
from train.objectives.losses import bags

ROWS = 256  # of a forward pass
WIDE_ROWS = 32  # where the output is as wide as the vocabulary at every slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way to similarities, and whether a model was taught what it takes."""

    similar: Callable[[Vilt, Gallery, Subject], Tensor]
    is_open: Callable[[Learnt], bool]
    needs: str  # the settings that open it


def dual(model: Vilt, gallery: Gallery, subject: Subject) -> Tensor:  # noqa: ARG001  # a route's signature
    """Cosine in the space that images and texts share."""
    device = model.log_scale.device
    images = [
        model.embed_images(whole_image(model.patchify(images_RCSS.to(device))))
        for images_RCSS in torch.split(gallery.images_ACSS, ROWS)
    ]
    texts = [
        model.embed_texts(TextInput(tokens_RL=tokens_RL.to(device), real_RL=real_RL.to(device)))
        for tokens_RL, real_RL in zip(
            torch.split(gallery.tokens_QL, ROWS), torch.split(gallery.real_QL, ROWS), strict=True
        )
    ]
    return torch.cat(texts) @ torch.cat(images).T


def fullmask(model: Vilt, gallery: Gallery, subject: Subject) -> Tensor:
    """log p(caption | image) - log p(caption), by pieces at their places and by bag of words, as far as trained."""
    tokens_QL, real_QL = (tensor.to(model.log_scale.device) for tensor in (gallery.tokens_QL, gallery.real_QL))
    # A bag is a mean over words; times their number it weighs as much as the sum over pieces.
    words_Q1 = real_QL[:, 1:].sum(dim=1, keepdim=True)
    bags_QV = bags(tokens_QL, real_QL, model.bag_head.idf_V) * words_Q1
    by_pieces, by_bag = [], []
    mask_token = subject.tokenizer.mask
    for images_RCSS in torch.split(gallery.images_ACSS, WIDE_ROWS):
        slots_RLV, bag_RV = _hidden_text_guess(model, images_RCSS, tokens_QL[0], mask_token)
        by_pieces.append(_look_up(slots_RLV, tokens_QL, real_QL))
        by_bag.append(bags_QV @ bag_RV.T)
    pieces_QA, bag_QA = (_less_prior(torch.cat(parts, dim=1)) for parts in (by_pieces, by_bag))
    return pieces_QA * subject.learnt.hidden_pieces + bag_QA * subject.learnt.hidden_bag


ROUTES = {
    "dual": Route(
        similar=dual,
        is_open=lambda learnt: learnt.shared,
        needs="objective.contrastive.weight above 0",
    ),
    "fullmask": Route(
        similar=fullmask,
        is_open=lambda learnt: learnt.hidden_pieces or learnt.hidden_bag,
        needs="objective.alternate=both, a text_hidden share that gives rows of a batch, and "
        "a weight above 0 of hidden_text or hidden_text_bow",
    ),
}


def open_routes(learnt: Learnt) -> list[str]:
    """The routes that such a model was trained for, in the order of preference."""
    return [name for name, route in ROUTES.items() if route.is_open(learnt)]


def _hidden_text_guess(
    model: Vilt, images_RCSS: Tensor, any_caption_L: Tensor, mask_token: int
) -> tuple[Tensor, Tensor]:
    """What the images alone say: log-probabilities of pieces at every slot, and of words in any order."""
    patches = model.patchify(images_RCSS.to(any_caption_L.device))
    tokens_RL = any_caption_L.repeat(len(patches), 1)
    tokens_RL[:, 1:] = mask_token  # slot 0 is [CLS] in every caption
    encoded = model.encode(TextInput(tokens_RL=tokens_RL, real_RL=None), whole_image(patches))
    assert encoded.text_RLD is not None
    slots = model.token_logits(encoded.text_RLD).float().log_softmax(dim=-1)
    return slots, model.bag_head(encoded.text_RLD[:, 0]).float().log_softmax(dim=-1)


def _look_up(slots_RLV: Tensor, tokens_QL: Tensor, real_QL: Tensor) -> Tensor:
    """(Q, R): the sum of each caption's pieces' log-probabilities."""
    total_QR = torch.zeros(len(tokens_QL), len(slots_RLV), device=slots_RLV.device)
    for slot in range(1, tokens_QL.shape[1]):
        total_QR += (slots_RLV[:, slot, tokens_QL[:, slot]] * real_QL[:, slot]).T
    return total_QR


def _less_prior(likelihood_QA: Tensor) -> Tensor:
    prior_Q1 = likelihood_QA.logsumexp(dim=1, keepdim=True) - math.log(likelihood_QA.shape[1])
    return likelihood_QA - prior_Q1
