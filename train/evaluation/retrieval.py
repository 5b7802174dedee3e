"""Retrieval: does a caption find its image among all, and an image its caption?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from rich.table import Table
from torch import Tensor

from train.batch import Batch
from train.errors import RequestError
from train.evaluation.base import Scores, Subject
from train.evaluation.gallery import Gallery
from train.evaluation.picture import Query, contact_sheet
from train.evaluation.ranking import RECALLS, chance, ranks, recalls
from train.evaluation.routes import ROUTES, open_routes
from train.models.vilt import Vilt

PICTURED_QUERIES = 12
PICTURED_ANSWERS = 5


class Retrieval:
    """Recall at 1, 5 and 10 and median rank, both ways, by every route asked for."""

    name: ClassVar[str] = "retrieval"

    def __init__(self, subject: Subject, *, routes: Sequence[str]) -> None:
        self._subject = subject
        self._routes = _chosen(subject, routes)

    @torch.no_grad()
    def run(self, model: Vilt, batches: Iterable[Batch]) -> Scores:
        model.eval()
        gallery = Gallery.collect(batches)
        similar = {route: ROUTES[route].similar(model, gallery, self._subject).cpu() for route in self._routes}
        figures = _about(gallery)
        for route, similar_QA in similar.items():
            figures |= {f"{route}.{name}": value for name, value in _both_ways(similar_QA, gallery.right_QA).items()}
        first = similar[self._routes[0]]
        # The first route's figures stand without its name too: the ones to quote.
        figures |= _both_ways(first, gallery.right_QA)
        return Scores(
            figures=figures,
            pictures={"retrieval": contact_sheet(_queries(gallery, first))},
            protocol={"route": self._routes[0]},
        )

    def table(self, scores: Scores, *, split: str) -> Table:
        """Routes and directions, a line each, chance below them."""
        figures = scores.figures
        sizes = f"{figures['images']:.0f} images, {figures['captions']:.0f} different captions"
        drawn = Table(title=f"Retrieval on the {split} split: {sizes}", title_justify="left")
        for name in ("route", "direction", *(f"R@{k}" for k in RECALLS), "median rank"):
            drawn.add_column(name, justify="left" if name in ("route", "direction") else "right")
        for route in (*self._routes, "chance"):
            for direction in ("text_to_image", "image_to_text"):
                prefix = f"{route}.{direction}"
                found = [f"{100 * figures[f'{prefix}.recall@{k}']:.1f} %" for k in RECALLS]
                rank = figures.get(f"{prefix}.median_rank")
                cells = (direction.replace("_to_", " → "), *found, "" if rank is None else f"{rank:g}")
                drawn.add_row(route, *cells, style="dim" if route == "chance" else None)
            drawn.add_section()
        return drawn


def _chosen(subject: Subject, routes: Sequence[str]) -> list[str]:
    """The routes to go, in the order of preference."""
    for route in routes:
        if route not in ROUTES:
            raise RequestError(f"There is no route {route!r}: choose one of {', '.join(ROUTES)}.")
        if not ROUTES[route].is_open(subject.learnt):
            raise RequestError(
                f"This model was not trained for the route {route!r}, so its scores would be noise: "
                f"that takes {ROUTES[route].needs}."
            )
    chosen = [route for route in open_routes(subject.learnt) if route in routes or not routes]
    if not chosen:
        takes = "; or ".join(route.needs for route in ROUTES.values())
        raise RequestError(f"This model was trained for no route of retrieval, so it cannot be scored: {takes}.")
    return chosen


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
