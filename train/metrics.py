"""Where numbers and pictures go: JSON lines, PNG files and TensorBoard, one small class each.

Weights & Biases is in a module of its own. Of several processes only the first has sinks; the others have `Silent`.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

METRICS_NAME = "metrics.jsonl"
PICTURES_NAME = "pictures"


class Sink(Protocol):
    """Takes what there is to tell of a step. Steps are counted from 1: how many have been done."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, name: str, png: bytes) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Tells nobody."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def picture(self, step: int, name: str, png: bytes) -> None:
        pass

    def close(self) -> None:
        pass


class JsonLines:
    """One JSON object a line in `metrics.jsonl`, on disk as soon as it is logged."""

    def __init__(self, folder: Path, *, after_step: int) -> None:
        """Lines after `after_step` were logged by a run that was killed before it saved; they are dropped."""
        path = folder / METRICS_NAME
        kept = [line for line in _whole_lines(path) if line["step"] <= after_step]
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")
        partial.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()

    def picture(self, step: int, name: str, png: bytes) -> None:
        pass

    def close(self) -> None:
        self._file.close()


class Pictures:
    """PNG files, `pictures/sheet-00000500.png`."""

    def __init__(self, folder: Path, *, after_step: int) -> None:
        """Pictures of steps after `after_step` are of a run that was killed before it saved; they are deleted."""
        self._folder = folder / PICTURES_NAME
        for step, path in _pictures_of(folder).items():
            if step > after_step:
                path.unlink()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def picture(self, step: int, name: str, png: bytes) -> None:
        self._folder.mkdir(exist_ok=True)
        final = self._folder / f"{name}-{step:08d}.png"
        partial = final.with_name(f".{final.name}.partial")
        partial.write_bytes(png)
        partial.replace(final)

    def close(self) -> None:
        pass


class TensorBoard:
    """Curves and pictures for `tensorboard --logdir runs`."""

    def __init__(self, folder: Path, *, after_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # most of a second, which only who trains shall wait

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=after_step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        pixels = np.asarray(Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGB"))
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


class Tee:
    """Several sinks as one."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for sink in self._sinks:
            sink.log(step, values)

    def picture(self, step: int, name: str, png: bytes) -> None:
        for sink in self._sinks:
            sink.picture(step, name, png)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """What a run has logged so far, a step a dict."""
    return _whole_lines(folder / METRICS_NAME)


def last_line_with(folder: Path, prefix: str, *, until: int) -> int:
    """The last step up to `until` of which a run has logged a number whose name begins so; 0 if there is none."""
    lines = (line for line in read_metrics(folder) if any(name.startswith(prefix) for name in line))
    return max((int(line["step"]) for line in lines if line["step"] <= until), default=0)


def last_picture(folder: Path, *, until: int) -> int:
    """The last step up to `until` of which a run has left a picture; 0 if there is none."""
    return max((step for step in _pictures_of(folder) if step <= until), default=0)


def _pictures_of(folder: Path) -> dict[int, Path]:
    """Step to file."""
    numbered = {path: path.stem.rpartition("-")[2] for path in (folder / PICTURES_NAME).glob("*.png")}
    return {int(number): path for path, number in numbered.items() if number.isdecimal()}


def _whole_lines(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]  # a killed process may have left half a line, a power cut worse
    return [values for line in whole.splitlines() if (values := _line(line)) is not None]


def _line(line: str) -> dict[str, float] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) and isinstance(values.get("step"), int) else None
