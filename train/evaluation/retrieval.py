"""Retrieval: does a caption find its image among all, and an image its caption?"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from train.batch import Batch
from train.evaluation.base import Scores
from train.evaluation.gallery import Gallery
from train.evaluation.picture import Query, contact_sheet
from train.evaluation.ranking import chance, ranks, recalls
from train.evaluation.routes import ROUTES
from train.models.vilt import Vilt

PICTURED_QUERIES = 12
PICTURED_ANSWERS = 5


class Retrieval:
    """Recall at 1, 5 and 10 and median rank, both ways, by every route asked for."""

    name = "retrieval"

    def __init__(self, *, routes: Sequence[str], mask_token: int) -> None:
        self._routes = routes
        self._mask_token = mask_token

    @torch.no_grad()
    def run(self, model: Vilt, batches: Iterable[Batch]) -> Scores:
        model.eval()
        gallery = Gallery.collect(batches)
        similar = {route: ROUTES[route](model, gallery, self._mask_token).cpu() for route in self._routes}
        figures = _about(gallery)
        for route, similar_QA in similar.items():
            figures |= {f"{route}.{name}": value for name, value in _both_ways(similar_QA, gallery.right_QA).items()}
        first = similar[self._routes[0]]
        # The first route's figures stand without its name too: the ones to quote.
        figures |= _both_ways(first, gallery.right_QA)
        return Scores(figures=figures, pictures={"retrieval.png": contact_sheet(_queries(gallery, first))})


def _about(gallery: Gallery) -> dict[str, float]:
    """Sizes, and what chance would score."""
    by_text, by_image = chance(gallery.right_QA), chance(gallery.right_QA.T)
    figures = {f"chance.{name}": value for name, value in by_text.items()}
    figures |= {f"chance.text_to_image.{name}": value for name, value in by_text.items()}
    figures |= {f"chance.image_to_text.{name}": value for name, value in by_image.items()}
    captions, images = gallery.right_QA.shape
    return figures | {"candidates": images, "images": images, "captions": captions}


def _both_ways(similar_QA: Tensor, right_QA: Tensor) -> dict[str, float]:
    text_to_image = recalls(ranks(similar_QA, right_QA))
    image_to_text = recalls(ranks(similar_QA.T, right_QA.T))
    figures = {f"text_to_image.{name}": value for name, value in text_to_image.items()}
    return figures | {f"image_to_text.{name}": value for name, value in image_to_text.items()}


def _queries(gallery: Gallery, similar_QA: Tensor) -> list[Query]:
    """A few captions, spread over the split, with the images the model finds for them."""
    captions = len(gallery.captions)
    chosen = [place * captions // PICTURED_QUERIES for place in range(PICTURED_QUERIES)] if captions else []
    best_QA = similar_QA.argsort(dim=1, descending=True, stable=True)[:, :PICTURED_ANSWERS]
    return [
        Query(
            caption=gallery.captions[number],
            images=[gallery.images_ACSS[image].permute(1, 2, 0).numpy() for image in best_QA[number]],
            right=[bool(gallery.right_QA[number, image]) for image in best_QA[number]],
        )
        for number in dict.fromkeys(chosen)
    ]
