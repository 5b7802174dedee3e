"""The seam between the commands and the evaluation tasks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from rich.table import Table

from train.batch import Batch
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.config import Learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a task knows of the model it examines, beside the model."""

    tokenizer: Tokenizer
    learnt: Learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a task found."""

    figures: Mapping[str, float]  # flat, "text_to_image.recall@5"
    pictures: Mapping[str, bytes]  # name, "retrieval" -> PNG
    protocol: Mapping[str, str]  # how they came about, as far as the task alone knows


class EvalTask(Protocol):
    """Evaluates a model on batches of samples that it was not trained on.

    `routes` are the ways asked for; none is all that the model was trained for. Raises RequestError for one that the
    task does not know, or that the model was not trained for.
    """

    name: ClassVar[str]

    def __init__(self, subject: Subject, *, routes: Sequence[str]) -> None: ...

    def run(self, model: Vilt, batches: Iterable[Batch]) -> Scores: ...

    def table(self, scores: Scores, *, split: str) -> Table:
        """What a person is shown."""
        ...


def write_pictures(scores: Scores, beside: Path) -> list[Path]:
    """Store the pictures beside the file of the scores; scores-val.json has retrieval-val.png."""
    kind = beside.stem.removeprefix("scores").removeprefix("-")
    paths = []
    for name, png in scores.pictures.items():
        paths.append(beside.with_name(f"{name}-{kind}.png" if kind else f"{name}.png"))
        paths[-1].write_bytes(png)
    return paths
