"""`train eval`: a checkpoint and a split in, scores.json and a table out."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table

from configs.loading import ConfigError, load
from shards.manifest import Manifest
from train import runs
from train.checkpoint import Checkpoint
from train.commands.assembly import chosen_device, evaluation_batches, restored_model
from train.config import TrainConfig
from train.errors import CheckpointError, DataError, RequestError
from train.evaluation.base import Scores, write_pictures
from train.evaluation.ranking import RECALLS
from train.evaluation.retrieval import Retrieval
from train.evaluation.routes import ROUTES

logger = logging.getLogger(__name__)

TASKS = {Retrieval.name: Retrieval}
FALLBACKS = ("test", "val", "train")  # the first that holds samples, where none is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be evaluated, on what."""

    task: str
    checkpoint: Path | None  # a run or a checkpoint; None is the newest run
    shards: Path | None  # None is the set it was trained on
    split: str | None
    routes: Sequence[str]  # empty is all
    out: Path | None  # of the scores; None is scores.json in the run's folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, and where it was stored."""

    scores: Scores
    split: str
    routes: Sequence[str]
    paths: Sequence[Path]


def evaluate(request: Request) -> Report:
    """Run the task and write its scores and pictures."""
    _check_names(request)
    path = request.checkpoint or runs.newest_run()
    checkpoint = Checkpoint.open(runs.checkpoint_of(path))
    config = _settings_of(checkpoint)
    shards = request.shards or Path(checkpoint.state.shards)
    manifest = Manifest.load(shards)
    split = request.split or _first_filled(manifest, shards)
    if not manifest.samples(split):
        raise DataError(f"The {split} split of {shards} holds no samples to evaluate on: choose another --split.")
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    routes = [route for route in ROUTES if route in request.routes or not request.routes]
    model = restored_model(config, checkpoint).to(chosen_device(config.trainer.device))
    batches = evaluation_batches(shards, manifest, split, config=config, tokenizer=checkpoint.tokenizer)
    scores = TASKS[request.task](routes=routes, mask_token=checkpoint.tokenizer.mask).run(model, batches)
    out = request.out or runs.run_of(checkpoint.folder) / "scores.json"
    protocol = {
        "task": request.task,
        "route": routes[0],  # of the figures that stand without a route's name
        "split": split,
        "step": checkpoint.state.step,
        "shards_digest": manifest.digest,
        "trained_on_digest": checkpoint.state.shards_digest,
        "versions": runs.versions(),
    }
    return Report(scores=scores, split=split, routes=routes, paths=_write(scores, protocol, out))


def table(report: Report) -> Table:
    """Routes and directions, a line each, chance below them."""
    figures = report.scores.figures
    sizes = f"{figures['images']:.0f} images, {figures['captions']:.0f} different captions"
    title = f"Retrieval on the {report.split} split: {sizes}"
    drawn = Table(title=title, title_justify="left")
    for name in ("route", "direction", *(f"R@{k}" for k in RECALLS), "median rank"):
        drawn.add_column(name, justify="left" if name in ("route", "direction") else "right")
    for route in (*report.routes, "chance"):
        for direction in ("text_to_image", "image_to_text"):
            prefix = f"{route}.{direction}"
            recalls = [f"{100 * figures[f'{prefix}.recall@{k}']:.1f} %" for k in RECALLS]
            rank = figures.get(f"{prefix}.median_rank")
            cells = (direction.replace("_to_", " → "), *recalls, "" if rank is None else f"{rank:g}")
            drawn.add_row(route, *cells, style="dim" if route == "chance" else None)
        drawn.add_section()
    return drawn


def _check_names(request: Request) -> None:
    if request.task not in TASKS:
        raise RequestError(f"There is no task {request.task!r}: choose one of {', '.join(TASKS)}.")
    for route in request.routes:
        if route not in ROUTES:
            raise RequestError(f"There is no route {route!r}: choose one of {', '.join(ROUTES)}.")
    if request.split is not None and request.split not in FALLBACKS:
        raise RequestError(f"There is no split {request.split!r}: choose one of {', '.join(FALLBACKS)}.")


def _settings_of(checkpoint: Checkpoint) -> TrainConfig:
    try:
        return load(TrainConfig, checkpoint.settings)
    except ConfigError as error:
        raise CheckpointError(f"{checkpoint.folder} has settings that this version cannot use: {error}") from None


def _first_filled(manifest: Manifest, shards: Path) -> str:
    filled = [split for split in FALLBACKS if manifest.samples(split)]
    if not filled:
        raise DataError(f"{shards} holds no samples at all: harvest some with 'harvest collect' and 'harvest shard'.")
    if filled[0] != FALLBACKS[0]:
        seen = (
            ", which the model was trained on: the scores say nothing about new images" if filled[0] == "train" else ""
        )
        logger.warning(
            "The test split of %s is empty, so the %s split is evaluated instead%s. Name one with --split.",
            shards,
            filled[0],
            seen,
        )
    return filled[0]


def _write(scores: Scores, protocol: dict[str, object], out: Path) -> list[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**scores.figures, **protocol}, indent=1) + "\n"
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(out)
    return [out, *write_pictures(scores, out.parent)]
