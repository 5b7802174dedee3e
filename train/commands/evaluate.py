"""`train eval`: a checkpoint and a split in, scores.json and a table out."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table

from shards.store import is_remote
from train import runs
from train.checkpoint import Checkpoint
from train.commands.assembly import (
    cache_beside,
    chosen_device,
    evaluation_batches,
    restored_model,
    settings_of,
    subject_of,
    trained_on,
)
from train.data.source import Source, open_source
from train.errors import DataError, RequestError
from train.evaluation.base import EvalTask, Scores, write_pictures
from train.evaluation.retrieval import Retrieval

logger = logging.getLogger(__name__)

TASKS: dict[str, type[EvalTask]] = {Retrieval.name: Retrieval}
FALLBACKS = ("test", "val", "train")  # the first that holds samples, where none is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be evaluated, on what."""

    task: str
    checkpoint: Path | None  # a run or a checkpoint; None is the newest run
    shards: str | None  # None is the first set of pairs it was trained on
    split: str | None
    routes: Sequence[str]  # empty is all that the model was trained for
    out: Path | None  # of the scores; None is a file in the run's folder, scores.json unless a split or route is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, to be shown, and where it was stored."""

    table: Table
    paths: Sequence[Path]


def evaluate(request: Request) -> Report:
    """Run the task and write its scores and pictures."""
    _check_names(request)
    checkpoint = Checkpoint.open(runs.checkpoint_of(request.checkpoint or runs.newest_run()))
    config = settings_of(checkpoint)
    task = TASKS[request.task](subject_of(config, checkpoint.tokenizer, checkpoint.state.rows), routes=request.routes)
    source = _source(request.shards, checkpoint, skip=config.data.corrupt == "skip")
    split = request.split or _first_filled(source)
    if not source.samples(split):
        raise DataError(f"The {split} split of {source.name} holds no samples to evaluate on: choose another --split.")
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    # On what there is here, for it may not be the machine it was trained on.
    model = restored_model(config, checkpoint).to(chosen_device("auto"))
    batches = evaluation_batches(source, split, config=config, tokenizer=checkpoint.tokenizer)
    scores = task.run(model, batches)
    protocol = {
        "task": request.task,
        **scores.protocol,
        "split": split,
        "step": checkpoint.state.step,
        "shards_digest": source.digest,
        "trained_on_digest": [each.digest for each in checkpoint.state.sets],
        "versions": runs.versions(),
    }
    out = request.out or runs.run_of(checkpoint.folder) / _file_name(request, split)
    return Report(table=task.table(scores, split=split), paths=_write(scores, protocol, out))


def _check_names(request: Request) -> None:
    if request.task not in TASKS:
        raise RequestError(f"There is no task {request.task!r}: choose one of {', '.join(TASKS)}.")
    if request.split is not None and request.split not in FALLBACKS:
        raise RequestError(f"There is no split {request.split!r}: choose one of {', '.join(FALLBACKS)}.")


def _file_name(request: Request, split: str) -> str:
    """scores.json for what is evaluated unasked; what was asked for stands in the name, and leaves that file alone."""
    asked = [split, *request.routes] if request.split or request.routes else []
    return "-".join(["scores", *asked]) + ".json"


def _source(asked: str | None, checkpoint: Checkpoint, *, skip: bool) -> Source:
    """The set to evaluate on: what is asked for, or the first set of pairs that the model was trained on."""
    cache = cache_beside(runs.run_of(checkpoint.folder))
    if asked is None:
        _refuse_remote(checkpoint)
    sources = (open_source(asked, cache=cache, skip=skip),) if asked else trained_on(checkpoint, cache=cache, skip=skip)
    source = next((each for each in sources if each.kind == "pairs"), None)
    if source is None:
        raise DataError(f"{sources[0].name} holds no pairs of image and text to evaluate on: name a set with --shards.")
    if asked is None and source.digest not in {each.digest for each in checkpoint.state.sets}:
        logger.warning(
            "%s has changed since the model was trained on it: the scores are those of the new set.", source.name
        )
    return source


def _refuse_remote(checkpoint: Checkpoint) -> None:
    """Somebody else's checkpoint must not make this machine connect to where it likes."""
    remote = [each.path for each in checkpoint.state.sets if is_remote(each.path)]
    if remote:
        raise RequestError(
            f"The model was trained on {remote[0]!r:.200}, which is not on this machine, and is not connected to only "
            "because a checkpoint says so: name it, or another set, with --shards."
        )


def _first_filled(source: Source) -> str:
    shards = source.name
    filled = [split for split in FALLBACKS if source.samples(split)]
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
    return [out, *write_pictures(scores, out)]
