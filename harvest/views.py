"""What a person sees while `harvest` works, and the tables at the end. Nothing here decides anything.

Everything from outside is escaped before it reaches the terminal: titles and messages are strangers' text.
"""

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from harvest.commands.collect import CollectReport
from harvest.commands.status import Status
from harvest.engines import Outcome
from harvest.ledger import Failure
from harvest.terminal import plain
from shards.manifest import Manifest
from shards.split import SPLITS

MAX_ROWS = 20


class _Bars:
    """Progress bars, as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def _bar(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=0, note="")
        return self._tasks[name]


class CollectBars(_Bars):
    """A bar a stage; where there is no terminal, a line for every tenth video."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._failed: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._planned: Counter[str] = Counter()

    def planned(self, stage: str) -> None:
        self._planned[stage] += 1
        self._progress.update(self._bar(stage), total=self._planned[stage])

    def ended(self, outcome: Outcome) -> None:
        self._ended[outcome.stage] += 1
        self._failed[outcome.stage] += outcome.reason is not None
        note = f"[red]{self._failed[outcome.stage]} failed[/]" if self._failed[outcome.stage] else ""
        self._progress.update(self._bar(outcome.stage), completed=self._ended[outcome.stage], note=note)
        if not self._console.is_terminal and self._ended[outcome.stage] % 10 == 0:
            self._console.print(f"{outcome.stage}: {self._ended[outcome.stage]} of {self._planned[outcome.stage]}")


class ShardBars(_Bars):
    """One bar for reading folders, one for writing samples."""

    def read(self, done: int, total: int) -> None:
        self._progress.update(self._bar("read"), completed=done, total=total)

    def wrote(self, done: int, total: int) -> None:
        self._progress.update(self._bar("write"), completed=done, total=total)


def show_collected(console: Console, report: CollectReport) -> None:
    """The outcome of `collect`."""
    failed = len(report.failures)
    console.print(
        f"{report.videos} videos: [green]{report.done_now} done now[/], {report.done_before} done before, "
        + (f"[red]{failed} failed[/]." if failed else "none failed.")
    )
    if report.not_ready:
        console.print(f"{report.not_ready} lack what the stage reads: run the earlier stages first.")
    if failed:
        show_failures(console, [*report.failures.values()])


def show_failures(console: Console, failures: Sequence[Failure]) -> None:
    """Which videos failed, where and why: two lines each."""
    counts = Counter(str(failure.reason) for failure in failures)
    console.print("\nFailed: " + ", ".join(f"{count} {reason}" for reason, count in counts.most_common()))
    for failure in failures[:MAX_ROWS]:
        tries = f", {failure.attempts} tries" if failure.attempts > 1 else ""
        console.print(
            f"[red]{failure.reason}[/] in {failure.stage} of {failure.video_id}{tries}: {plain(failure.url)}\n"
            f"    {plain(failure.message)}",
            soft_wrap=True,
            highlight=False,
        )
    if len(failures) > MAX_ROWS:
        console.print(f"... and {len(failures) - MAX_ROWS} more: 'harvest status' counts them all.")


def show_status(console: Console, status: Status) -> None:
    """The state of a work folder."""
    console.print(f"{status.videos} videos, {status.finished} finished.")
    table = Table()
    for column in ("stage", "done", "failed", "hours spent"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, done in status.done_by_stage.items():
        failed = sum(failure.stage == stage for failure in status.failures)
        table.add_row(stage, str(done), str(failed), f"{status.seconds_by_stage.get(stage, 0) / 3600:.2f}")
    console.print(table)
    if status.failures:
        show_failures(console, status.failures)


def show_manifest(console: Console, manifest: Manifest, out: str) -> None:
    """What a shard set holds."""
    table = Table(title=f"{manifest.samples()} pairs in {plain(out)}")
    for column in ("split", "videos", "pairs", "shards", "MiB"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split in SPLITS:
        shards = manifest.of_split(split)
        size = sum(shard.bytes for shard in shards) / 2**20
        table.add_row(
            split, str(manifest.videos.get(split, 0)), str(manifest.samples(split)), str(len(shards)), f"{size:.1f}"
        )
    console.print(table)
    if manifest.dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in manifest.dropped.items())
        console.print(f"Dropped: {reasons} (kept as rows in _meta/dropped.parquet).")
