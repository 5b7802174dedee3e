"""The seam between the commands and the evaluation tasks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from train.batch import Batch
from train.models.vilt import Vilt


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a task found."""

    figures: Mapping[str, float]  # flat, "text_to_image.recall@5"
    pictures: Mapping[str, bytes]  # file name -> PNG


class EvalTask(Protocol):
    """Evaluates a model on batches of samples that it was not trained on."""

    name: str

    def run(self, model: Vilt, batches: Iterable[Batch]) -> Scores: ...


def write_pictures(scores: Scores, folder: Path) -> list[Path]:
    """Store the pictures in `folder`; returns where they are."""
    paths = []
    for name, png in scores.pictures.items():
        (folder / name).write_bytes(png)
        paths.append(folder / name)
    return paths
