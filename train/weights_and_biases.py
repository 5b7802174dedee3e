"""Curves and pictures in Weights & Biases, for who asks for it by `trainer.wandb=PROJECT`.

The id of the W&B run lies in the run's folder, so a resumed run goes on in the same one. WANDB_MODE=offline (or
disabled) is honoured, as are W&B's other variables. Points are placed by our own step: what a killed run had told
beyond its last checkpoint is told again, with the same values, as W&B cannot take points back.
"""

import io
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from train.errors import RequestError

ID_NAME = "wandb-run-id.txt"


class WeightsAndBiases:
    """One run of a project at Weights & Biases."""

    def __init__(self, folder: Path, *, project: str, settings: Mapping[str, Any]) -> None:
        """`settings` are those of the run, as plain data, to be searched by.

        Raises RequestError when the package is missing or the service refuses.
        """
        try:
            import wandb
        except ImportError:
            raise RequestError(
                f"trainer.wandb={project!r} needs the package wandb, which is not installed: "
                "pip install 'harvest-train[wandb]'."
            ) from None
        self._wandb = wandb
        try:
            self._run = wandb.init(
                project=project,
                id=_run_id(folder),
                resume="allow",
                name=folder.name,
                dir=folder,
                config=dict(settings),
                settings=wandb.Settings(console="off"),  # the terminal has its own progress
            )
        except wandb.Error as error:
            raise RequestError(
                f"Weights & Biases refuses the project {project!r}: {str(error).rstrip('.')}. "
                "Log in with 'wandb login', set WANDB_MODE=offline, or leave trainer.wandb out."
            ) from None
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def picture(self, step: int, name: str, png: bytes) -> None:
        self._run.log({"step": step, name: self._wandb.Image(Image.open(io.BytesIO(png)))})

    def close(self) -> None:
        self._run.finish()


def _run_id(folder: Path) -> str:
    """The one of the run's folder, or a new one that is left there."""
    path = folder / ID_NAME
    if not path.is_file():
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(f"{uuid.uuid4().hex[:12]}\n", encoding="utf-8")
        partial.replace(path)
    return path.read_text(encoding="utf-8").strip()
