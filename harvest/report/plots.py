"""Distributions of one set, or of two with the same bins, as plain numbers for the page to draw.

Shares, not counts, are drawn, so that sets of different sizes can be compared.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvest.report.tables import SCORES, Floats, caption_words, counts, numbers, scene_seconds

BINS = 24  # or a few less or more, so that they have round edges
TICKS = 4
MOST_BARS = 12
PLAIN_NAMES = {
    "avg_logprob": "mean log-probability of the words",
    "no_speech_prob": "probability that nobody speaks",
    "compression_ratio": "compression ratio of the text",
    "sharpness": "sharpness (variance of the Laplacian)",
    "brightness": "brightness (0 to 255)",
    "align_score": "image-text agreement",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One set's part of a plot."""

    shares: tuple[float, ...]  # of the set's pairs, a bin each
    counts: tuple[int, ...]
    note: str  # in words: median and so on


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A distribution."""

    title: str
    labels: tuple[str, ...]  # of each bin
    ticks: tuple[tuple[float, str], ...] = ()  # place on the axis, 0..1, and its value; none where bins are named
    series: tuple[Series, ...]

    @property
    def highest(self) -> float:
        """The largest share in any bin."""
        return max(max(series.shares) for series in self.series)


def distributions(tables: Sequence[pa.Table]) -> list[Plot]:
    """All distributions of which there is anything to see, of one table or several beside each other."""
    plots = [_histogram(title, [values(table) for table in tables]) for title, values in _measured()]
    named = [_bars(field, [counts(table, field) for table in tables]) for field in ("language", "license", "channel")]
    return [plot for plot in (*plots, *named) if plot is not None]


def reasons(dropped: Sequence[pa.Table]) -> Plot | None:
    """Why candidates were dropped, of one set or several; None where none was."""
    return _bars("reason", [counts(table, "status") for table in dropped])


def _measured() -> Iterator[tuple[str, Callable[[pa.Table], Floats]]]:
    """What is plotted: a title, and how the values are got from a table."""
    yield "caption length, words", caption_words
    yield "scene length, seconds", scene_seconds
    for name in SCORES:
        yield PLAIN_NAMES.get(name, name.replace("_", " ")), partial(numbers, field=name)


def _histogram(title: str, columns: Sequence[Floats]) -> Plot | None:
    everything = np.concatenate(columns)
    if not len(everything):
        return None
    edges = _edges(everything)
    # The outermost hundredth would squeeze all others into one bin: it is counted in the last bin on its side.
    histograms = [np.histogram(column.clip(edges[0], edges[-1]), edges)[0] for column in columns]
    span = edges[-1] - edges[0]
    return Plot(
        title=title,
        labels=tuple(f"{first:.6g} to {last:.6g}" for first, last in itertools.pairwise(edges)),
        ticks=tuple((float((edge - edges[0]) / span), f"{edge:.6g}") for edge in edges[:: -(-len(edges) // TICKS)]),
        series=tuple(_series(counted, _note(column)) for counted, column in zip(histograms, columns, strict=True)),
    )


def _edges(values: Floats) -> Floats:
    """The edges of bins of a round width around all but the outermost values."""
    low, high = (float(np.quantile(values, share)) for share in (0.005, 0.995))
    rough = max((high - low) / BINS, 1e-4)
    unit = 10.0 ** math.floor(math.log10(rough))
    width = next(step * unit for step in (1, 2, 2.5, 5, 10) if step * unit >= rough * 0.999)
    if not np.any(values % 1):
        width = math.ceil(width)
    first, last = math.floor(low / width), math.floor(high / width) + 1
    return np.round(np.arange(first, last + 1) * width, 6)


def _bars(field: str, columns: Sequence[Counter[str]]) -> Plot | None:
    together = sum(columns, Counter[str]())
    if not together:
        return None
    # By number, then by name: equal counts must not depend on the order of rows.
    names = sorted(together, key=lambda name: (-together[name], name))
    shown, rest = names[:MOST_BARS], names[MOST_BARS:]
    others = [(f"{len(rest)} others", [sum(column[name] for name in rest) for column in columns])] if rest else []
    bars = [*((name, [column[name] for column in columns]) for name in shown), *others]
    return Plot(
        title=field,
        labels=tuple(name for name, _ in bars),
        series=tuple(
            _series(np.asarray([found[number] for _, found in bars]), f"{len(column)} different")
            for number, column in enumerate(columns)
        ),
    )


def _series(counted: npt.NDArray[np.int64], note: str) -> Series:
    shares = counted / max(int(counted.sum()), 1)
    return Series(shares=tuple(shares.tolist()), counts=tuple(counted.tolist()), note=note)


def _note(values: Floats) -> str:
    if not len(values):
        return "not measured"
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"median {_short(median)}, 90 % in {_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
