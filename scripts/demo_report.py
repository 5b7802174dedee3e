"""What the demo found of what it knows: cuts and words; and where everything lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harvest.folder import VideoFolder
from harvest.records import Scenes, Transcript
from harvest.sources import link_id
from tests.makers.comparison import TOLERANCE, CutCount, count_cuts, count_word_errors, words_of
from tests.makers.timeline import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Over all videos."""

    cuts: CutCount
    words: int  # said
    word_errors: int


def compare(truths: Sequence[Truth], urls: Sequence[str], work: Path) -> Found:
    """Hold the records in `work` against the truth about the videos at `urls`."""
    cuts, words, word_errors = CutCount(), 0, 0
    for truth, url in zip(truths, urls, strict=True):
        folder = VideoFolder(work, link_id(url))
        scenes = folder.load(Scenes).scenes
        cuts += count_cuts(truth.cuts, [scene.start for scene in scenes[1:]])
        heard = [word.text for segment in folder.load(Transcript).segments for word in segment.words]
        words += len(truth.words)
        word_errors += count_word_errors(truth.words, words_of(" ".join(heard)))
    return Found(cuts=cuts, words=words, word_errors=word_errors)


def show_found(found: Found, console: Console) -> None:
    cuts = found.cuts
    table = Table(title="Found of what is in the videos", title_justify="left")
    for name in ("", "there", "found", "right"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("hard cuts", str(cuts.hard), str(cuts.hard_found), _percent(cuts.hard_found, cuts.hard))
    table.add_row("fades through black", str(cuts.soft), str(cuts.soft_found), _percent(cuts.soft_found, cuts.soft))
    right = found.words - found.word_errors
    table.add_row("spoken words", str(found.words), str(right), _percent(right, found.words))
    console.print(table)
    console.print(
        f"Cuts within {TOLERANCE} s: recall {cuts.recall:.3f}, precision {cuts.precision:.3f} ({cuts.invented} where "
        f"there is none). Word error rate: {found.word_errors / max(1, found.words):.4f}.",
        soft_wrap=True,
    )


def show_where(work: Path, shards: Path, run: Path, console: Console) -> None:
    frames = sorted(work.glob("*/frames/*.jpg"))
    pictures = sorted(str(path) for path in run.glob("*.png"))
    lines = [
        f"Pictures: {len(frames)} key frames, in the folders {work / '*' / 'frames'}",
        f"Shards:   {shards} (with a card, README.md)",
        f"Run:      {run} (tensorboard --logdir {run})",
        f"Scores:   {run / 'scores.json'}" + (f" (what was found: {', '.join(pictures)})" if pictures else ""),
    ]
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.2f} %"
