"""Whether the demo's training goes on where an earlier one stood, or starts anew."""

import itertools
import json
from pathlib import Path

from shards.manifest import Manifest


def training_options(run: Path, shards: Path) -> tuple[tuple[str, ...], str]:
    """What to add to `train pretrain` for `run`, and a sentence if an earlier run was put aside for it."""
    if not run.exists():
        return (), ""
    digest = _trained_on(run)
    if digest == Manifest.load(shards).digest:
        return ("--resume",), ""
    names = (run.with_name(f"{run.name}-old-{number}") for number in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    run.rename(aside)
    why = "was trained on another set" if digest else "holds no checkpoint to go on from"
    return (), f"The earlier run {why}: it is now {aside}, and a new one starts."


def _trained_on(run: Path) -> str:
    """The digest of the set that the run's newest checkpoint was trained on, "" if there is no checkpoint."""
    checkpoints = run / "checkpoints"
    try:
        newest = (checkpoints / "latest").read_text(encoding="utf-8").strip()
        state = json.loads((checkpoints / newest / "state.json").read_text(encoding="utf-8"))
        return str(state["sets"][0]["digest"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""
