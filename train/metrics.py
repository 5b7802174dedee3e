"""Where numbers go: JSON lines and TensorBoard, one small class each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from torch.utils.tensorboard import SummaryWriter

METRICS_NAME = "metrics.jsonl"


class Sink(Protocol):
    """Takes the numbers of one step."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


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

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """Curves for `tensorboard --logdir runs`."""

    def __init__(self, folder: Path, *, after_step: int) -> None:
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=after_step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class Tee:
    """Several sinks as one."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for sink in self._sinks:
            sink.log(step, values)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """What a run has logged so far, a step a dict."""
    return _whole_lines(folder / METRICS_NAME)


def _whole_lines(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]  # a killed process may have left half a line
    return [json.loads(line) for line in whole.splitlines()]
