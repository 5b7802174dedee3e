"""Progress on the terminal: a bar with steps/s, loss and time left; plain lines where there is no terminal."""

import logging
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from train.metrics import Sink

logger = logging.getLogger(__name__)


def progress_sink(console: Console, *, done: int, steps: int) -> Sink:
    return _Bar(console, done=done, steps=steps) if console.is_terminal else _Lines(steps=steps)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} steps/s" if task.speed else "")


class _Bar:
    def __init__(self, console: Console, *, done: int, steps: int) -> None:
        columns = (
            TextColumn("pretrain"),
            BarColumn(),
            MofNCompleteColumn(),
            _Speed(),
            TextColumn("{task.fields[loss]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, speed_estimate_period=120)
        self._task = self._progress.add_task("", total=steps, completed=done, loss="")
        self._progress.start()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if "loss/total" in values:  # an evaluation's numbers come without
            self._progress.update(self._task, completed=step, loss=f"loss {values['loss/total']:.3f}")

    def picture(self, step: int, name: str, png: bytes) -> None:
        pass

    def close(self) -> None:
        self._progress.stop()


class _Lines:
    """About twenty lines a run, however long."""

    def __init__(self, *, steps: int) -> None:
        self._steps = steps
        self._next = 0.0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if "loss/total" in values and (step >= self._next or step == self._steps):
            self._next = step + self._steps / 20
            speed = values["samples_per_second"]
            logger.info("step %d of %d: loss %.3f, %.0f samples/s", step, self._steps, values["loss/total"], speed)

    def picture(self, step: int, name: str, png: bytes) -> None:
        pass

    def close(self) -> None:
        pass
