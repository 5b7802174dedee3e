"""Where runs lie, and which one is meant.

runs/pretrain-001/  config.yaml  versions.json  metrics.jsonl  tensorboard/  checkpoints/  scores.json
"""

import importlib.metadata
import json
import platform
import re
from pathlib import Path

from train.checkpoint import LATEST_NAME, STATE_NAME, latest_checkpoint
from train.errors import RunFolderError

ROOT = Path("runs")
CHECKPOINTS = "checkpoints"


def next_free_run(root: Path = ROOT) -> Path:
    """`root`/pretrain-001, or the number after the highest there is."""
    names = (re.fullmatch(r"pretrain-(\d+)", folder.name) for folder in root.glob("pretrain-*"))
    taken = [int(match[1]) for match in names if match]
    return root / f"pretrain-{max(taken, default=0) + 1:03d}"


def newest_run(root: Path = ROOT) -> Path:
    """The run under `root` that saved a checkpoint last. Raises RunFolderError if none did."""
    pointers = sorted(root.glob(f"*/{CHECKPOINTS}/{LATEST_NAME}"), key=lambda path: (path.stat().st_mtime_ns, path))
    if not pointers:
        raise RunFolderError(f"There is no run with a checkpoint under {root}: train one with 'train pretrain'.")
    return pointers[-1].parent.parent


def claim(run: Path) -> None:
    """Make the folder of a new run. Raises RunFolderError if something is there."""
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise RunFolderError(
            f"{run} is not empty, and a new run would mix with what is there: add --resume to go on with it, "
            "or give another --out."
        )
    run.mkdir(parents=True, exist_ok=True)


def run_of(path: Path) -> Path:
    """The run's folder for a run or one of its checkpoints."""
    return path.parent.parent if (path / STATE_NAME).is_file() and path.parent.name == CHECKPOINTS else path


def checkpoint_of(path: Path) -> Path:
    """The checkpoint meant by a run's folder, or by a checkpoint's own."""
    if (path / STATE_NAME).is_file():
        return path
    if (path / CHECKPOINTS).is_dir():
        return latest_checkpoint(path / CHECKPOINTS)
    what = "holds neither a run nor a checkpoint" if path.is_dir() else "does not exist"
    raise RunFolderError(f"{path} {what}: give the folder of a run of 'train pretrain'.")


def versions() -> dict[str, str]:
    """What the numbers of a run depend on beside its settings."""
    packages = ("harvest-train", "torch", "timm", "tokenizers", "transformers", "webdataset", "pillow", "numpy")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}


def write_versions(run: Path) -> None:
    (run / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
