"""Where runs lie, and which one is meant.

runs/pretrain-001/  config.yaml  sets.json  versions.json  metrics.jsonl  tensorboard/  checkpoints/  scores.json
"""

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shards.replacing import replacing_file
from train.checkpoint import LATEST_NAME, SETTINGS_NAME, STATE_NAME, checkpoints_in, latest_checkpoint
from train.errors import RunFolderError
from train.metrics import METRICS_NAME, PICTURES_NAME
from train.weights_and_biases import ID_NAME

ROOT = Path("runs")
CHECKPOINTS = "checkpoints"
VERSIONS_NAME = "versions.json"
SETS_NAME = "sets.json"
# What a run leaves beside its checkpoints; names that begin with a dot are of files it was still writing.
_LEFT = {SETTINGS_NAME, SETS_NAME, VERSIONS_NAME, METRICS_NAME, PICTURES_NAME, ID_NAME, CHECKPOINTS}
_LEFT |= {"tensorboard", "wandb"}


def newest_run(root: Path = ROOT) -> Path:
    """The run under `root` that saved a checkpoint last. Raises RunFolderError if none did."""
    pointers = sorted(root.glob(f"*/{CHECKPOINTS}/{LATEST_NAME}"), key=lambda path: (path.stat().st_mtime_ns, path))
    if not pointers:
        raise RunFolderError(f"There is no run with a checkpoint under {root}: train one with 'train pretrain'.")
    return pointers[-1].parent.parent


def refuse_taken(run: Path, *, again: bool = False) -> None:
    """Raises RunFolderError if something is in the folder of a new run.

    With `again` it may hold what a run has left that was stopped before its first checkpoint.
    """
    if has_checkpoint(run):
        how = "add --resume to go on with it"
    elif strange := _strangers(run):
        how = f"{strange[0]} is no part of a run, so move it away"
    elif again or not run.exists() or not any(run.iterdir()):
        return
    else:
        how = "add --resume to start it again, for it has no checkpoint"
    raise RunFolderError(f"{run} is not empty, and a new run would mix with it: {how}, or give another --out.")


def _strangers(run: Path) -> list[str]:
    """Names in the folder of a run that are no run's."""
    names = [path.name for path in run.iterdir()] if run.is_dir() else [run.name] if run.exists() else []
    return sorted(name for name in names if name not in _LEFT and not name.startswith("."))


def is_checkpoint(path: Path) -> bool:
    """Whether this is the folder of one checkpoint rather than of a run."""
    return (path / STATE_NAME).is_file()


def run_of(path: Path) -> Path:
    """The run's folder for a run or one of its checkpoints."""
    if is_checkpoint(path) and path.absolute().parent.name == CHECKPOINTS:
        return path.parent.parent if path.parent.name == CHECKPOINTS else path.absolute().parent.parent
    return path


def checkpoint_of(path: Path) -> Path:
    """The checkpoint meant by a run's folder, or by a checkpoint's own."""
    if is_checkpoint(path):
        return path
    if has_checkpoint(path):
        return latest_checkpoint(path / CHECKPOINTS)
    if not path.is_dir():
        raise RunFolderError(f"{path} does not exist: give the folder of a run of 'train pretrain'.")
    if (path / METRICS_NAME).is_file():
        raise RunFolderError(f"{path} was stopped before its first checkpoint: start it again with --resume --out.")
    raise RunFolderError(f"{path} holds neither a run nor a checkpoint: give the folder of a run of 'train pretrain'.")


def checkpoint_of_step(run: Path, step: int) -> Path:
    """The checkpoint that `run` has kept of `step`."""
    kept = checkpoints_in(run / CHECKPOINTS)
    if step not in kept:
        steps = ", ".join(map(str, sorted(kept))) or "none"
        raise RunFolderError(
            f"{run} has no checkpoint of step {step}, but of: {steps}. "
            "trainer.keep and trainer.keep_every say which are kept."
        )
    return kept[step]


def has_checkpoint(run: Path) -> bool:
    """Whether there is something that a run could go on from, if it is not damaged."""
    return (run / CHECKPOINTS / LATEST_NAME).is_file() or bool(checkpoints_in(run / CHECKPOINTS))


def versions() -> dict[str, str]:
    """What the numbers of a run depend on beside its settings."""
    packages = ("harvest-train", "torch", "timm", "tokenizers", "transformers", "webdataset", "pillow", "numpy")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}


def leave_request(run: Path, *, settings: str, sets: Sequence[str]) -> None:
    """What it is trained with and on, so that it can be started again before it has a checkpoint."""
    texts = {SETTINGS_NAME: settings, SETS_NAME: _json([*sets]), VERSIONS_NAME: _json(versions())}
    for name, text in texts.items():
        with replacing_file(run / name) as partial:
            partial.write_text(text, encoding="utf-8")


def settings_left(run: Path) -> Path | None:
    """The settings that a run was begun with, as YAML."""
    path = run / SETTINGS_NAME
    return path if path.is_file() else None


def sets_left(run: Path) -> list[str]:
    """The sets that a run was begun on, as --shards takes them. Raises RunFolderError for what is no list of them."""
    path = run / SETS_NAME
    if not path.is_file():
        return []
    try:
        return TypeAdapter(list[str]).validate_json(path.read_bytes())
    except ValidationError:
        raise RunFolderError(f"{path} does not tell what the run was begun on: say so with --shards.") from None


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
