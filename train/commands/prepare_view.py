"""What a person sees of `train prepare`: a bar while it works, a table and what was left out at the end."""

import logging
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from shards.split import SPLITS
from train.commands.prepare import Prepared

logger = logging.getLogger(__name__)

MAX_NAMES = 5  # shown for each reason; all are rows of the set


class PrepareBar:
    """A bar, or ten lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("prepare"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
        self._console = console
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def wrote(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)
        if not self._console.is_terminal and done * 10 // total > (done - 1) * 10 // total:
            logger.info("%d of %d samples written", done, total)


def show_prepared(console: Console, prepared: Prepared, out: str) -> None:
    manifest = prepared.manifest
    table = Table(
        title=f"{manifest.samples()} samples ({manifest.kind}) in {escape(_plain(out))}", title_justify="left"
    )
    for column in ("split", "samples", "different ids", "shards", "MiB"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split in SPLITS:
        shards = manifest.of_split(split)
        mebibytes = sum(shard.bytes for shard in shards) / 2**20
        counts = (manifest.samples(split), manifest.videos.get(split, 0), len(shards))
        table.add_row(split, *map(str, counts), f"{mebibytes:.1f}")
    console.print(table)
    for reason, count in sorted(Counter(str(row["status"]) for row in prepared.dropped).items()):
        names = [_plain(str(row["url"])) for row in prepared.dropped if row["status"] == reason]
        shown = ", ".join(dict.fromkeys(names[:MAX_NAMES])) + (", ..." if count > MAX_NAMES else "")
        console.print(f"Left out, {reason}: {count} ({escape(shown)})", soft_wrap=True, highlight=False)
    if prepared.dropped:
        console.print("All that was left out is in _meta/dropped.parquet.", highlight=False)


def _plain(text: str) -> str:
    """A stranger's name on one line, without control signs."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:160]
