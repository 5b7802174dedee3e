"""The page: one HTML file that asks nothing of the network, and whose own style and script alone may act.

Its policy names style and script by the hash of their bytes and allows pictures that lie in the page; whatever markup
or script a stranger's text might smuggle in does nothing. Equal sets give equal bytes.
"""

import base64
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harvest.report.cards import Card, dropped_cards, kept_cards, readable
from harvest.report.comparison import Comparison, compare
from harvest.report.plots import Plot, distributions, reasons
from harvest.report.tables import SetTables, counts

TEMPLATES = Path(__file__).with_name("template")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """How much is shown. A picture takes about ten kilobytes of the page."""

    pairs: int = 200
    examples: int = 8  # of each reason to drop
    differing: int = 40  # of captions, where two sets are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A set in numbers."""

    label: str
    pairs: int
    videos: int
    dropped: int
    by_split: dict[str, int]
    speech_hours: float  # under captions
    languages: int
    reasons: dict[str, int]
    version: str
    settings: str  # YAML


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that the template has places for."""

    summaries: tuple[Summary, ...]  # of the set, and of the one it is compared with
    cards: list[Card]
    plots: list[Plot]
    reasons: Plot | None
    drops: dict[str, list[Card]]
    pictures_of_drops: bool
    excluded: list[str]
    digest: str
    comparison: Comparison | None

    def videos(self) -> list[tuple[str, str]]:
        """Id and title of every video of which anything is shown, in the order of titles."""
        examples = [] if self.comparison is None else [example.card for example in self.comparison.examples]
        cards = [*self.cards, *examples, *itertools.chain(*self.drops.values())]
        return sorted({(one.row.video_id, one.row.title) for one in cards}, key=lambda video: (video[1], video[0]))


def render(tables: SetTables, config: ReportConfig, *, work: Path | None, other: SetTables | None) -> str:
    """The page of a set; with the pictures of what was dropped from `work`, and compared with another set.

    Raises CorruptShard for a torn tar.
    """
    sets = [tables] if other is None else [tables, other]
    labels = _labels([one.folder for one in sets])
    content = Content(
        summaries=tuple(_summary(one, label) for one, label in zip(sets, labels, strict=True)),
        cards=kept_cards(tables, config.pairs),
        plots=distributions([one.kept for one in sets]),
        reasons=reasons([one.dropped for one in sets]),
        drops=_drops(tables, config.examples, work),
        pictures_of_drops=work is not None,
        excluded=tables.excluded(),
        digest=tables.manifest.digest,
        comparison=None if other is None else compare(tables, other, config.differing),
    )
    return _fill(content)


def _fill(content: Content) -> str:
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["readable"] = readable
    template = environment.get_template("report.html")
    # Our own two files alone are taken as they are; all else is escaped.
    own = {"style": Markup(style), "script": Markup(script)}  # noqa: S704
    return template.render(content=content, style_hash=_hash(style), script_hash=_hash(script), **own) + "\n"


def _hash(text: str) -> str:
    """As a content security policy names an inline element."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _drops(tables: SetTables, most: int, work: Path | None) -> dict[str, list[Card]]:
    statuses = np.asarray(tables.dropped["status"].to_pylist(), np.str_)
    by_number = sorted(counts(tables.dropped, "status").items(), key=lambda item: (-item[1], item[0]))
    return {reason: dropped_cards(tables.dropped.filter(statuses == reason), most, work) for reason, _ in by_number}


def _summary(tables: SetTables, label: str) -> Summary:
    manifest, kept = tables.manifest, tables.kept
    starts, ends = (np.asarray(kept[field], np.float64) for field in ("speech_start", "speech_end"))
    settings: dict[str, Any] = dict(manifest.settings)
    return Summary(
        label=label,
        pairs=manifest.samples(),
        videos=sum(manifest.videos.values()),
        dropped=sum(manifest.dropped.values()),
        by_split={split: manifest.samples(split) for split in manifest.videos},
        speech_hours=float((ends - starts).sum()) / 3600,
        languages=len(counts(kept, "language")),
        reasons=dict(manifest.dropped),
        version=manifest.version,
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
    )


def _labels(folders: Sequence[Path]) -> list[str]:
    """Names of folders, without the machine's path, but as long as they must be to differ."""
    parts = [folder.resolve().parts for folder in folders]
    lengths = range(1, max(map(len, parts)) + 1)
    enough = next((length for length in lengths if len({part[-length:] for part in parts}) == len(parts)), 1)
    return ["/".join(part[-enough:]) for part in parts]
