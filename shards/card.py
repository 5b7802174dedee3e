"""The dataset card, README.md beside the tars: front matter that makes `load_dataset` find them, then prose.

Without `configs` Hugging Face datasets would load the parquet files instead of the pictures; without
`features` it would guess the types from the first five samples.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shards.manifest import Manifest
from shards.sample import JSON_FIELDS, Kind
from shards.split import SPLITS

HF_TYPES = {str: "string", int: "int64", float: "float64"}
HF_SPLITS = {"train": "train", "val": "validation", "test": "test"}

VIDEO_TEMPLATE = Path(__file__).with_name("card_template.md")
PREPARED_TEMPLATE = Path(__file__).with_name("card_template_prepared.md")

MEMBERS: dict[Kind, tuple[str, ...]] = {"pairs": ("jpg", "txt"), "images": ("jpg", "json"), "texts": ("txt", "json")}
"""What to load of a set of each kind."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""As the Hugging Face Hub files sets by size, below so many samples."""
LARGEST = "n>1M"
TASKS: dict[Kind, list[str]] = {
    "pairs": ["image-to-text", "text-to-image", "zero-shot-image-classification"],
    "images": ["image-feature-extraction"],
    "texts": ["fill-mask"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card says beside what manifest and rows know."""

    title: str
    origin: str  # a sentence on where the samples come from; "" is narrated video

    def render(self, manifest: Manifest, rows: Sequence[Mapping[str, Any]]) -> str:
        """The whole card. Titles and captions never appear in it; names of channels and licences do, escaped."""
        front = yaml.safe_dump(_front_matter(manifest, rows, self.title), sort_keys=False, allow_unicode=True)
        template = PREPARED_TEMPLATE if self.origin else VIDEO_TEMPLATE
        facts = {"title": self.title, "origin": self.origin, **_facts(manifest, rows)}
        return f"---\n{front}---\n\n{template.read_text(encoding='utf-8').format(**facts)}"


def _facts(manifest: Manifest, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the templates have places for."""
    return {
        "samples": manifest.samples(),
        "kind": manifest.kind,
        "members": ", ".join(f'"{member}"' for member in MEMBERS[manifest.kind]),
        "videos": sum(manifest.videos.values()),
        "splits": _splits_table(manifest),
        "sources": _counts(_of_videos(rows, "extractor")),
        "uploaded": _span(row["upload_date"] for row in rows),
        "retrieved": _span(row["retrieved_at"] for row in rows),
        "speech_hours": f"{sum(row['speech_end'] - row['speech_start'] for row in rows) / 3600:.2f}",
        "figures": _figures(rows),
        "caption_sources": _counts(row["caption_source"] for row in rows),
        "languages": _counts(row["language"] for row in rows),
        "licenses": _counts(row["license"] for row in rows),
        "channels": _counts(row["channel"] for row in rows),
        "asr_models": _counts(row["asr_model"] for row in rows),
        "dropped": _lines(manifest.dropped),
        "train_glob": _brace_pattern(manifest, "train"),
        "version": manifest.version,
        "settings": yaml.safe_dump(dict(manifest.settings), sort_keys=False).strip(),
    }


def _front_matter(manifest: Manifest, rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    present = [split for split in SPLITS if manifest.of_split(split)]
    features = [
        *([] if manifest.kind == "texts" else [{"name": "jpg", "dtype": "image"}]),
        {"name": "json", "struct": [{"name": name, "dtype": HF_TYPES[kind]} for name, kind in JSON_FIELDS.items()]},
        {"name": "txt", "dtype": "string"},
        {"name": "__key__", "dtype": "string"},
        {"name": "__url__", "dtype": "string"},
    ]
    return {
        "pretty_name": title,
        "language": sorted({row["language"] for row in rows} - {""}),
        "license": "other" if any(row["license"] for row in rows) else "unknown",
        "size_categories": [next((name for most, name in SIZES if manifest.samples() < most), LARGEST)],
        "task_categories": TASKS[manifest.kind],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": HF_SPLITS[split], "path": f"{split}-*.tar"} for split in present],
            }
        ],
        "dataset_info": {
            "features": features,
            "splits": [
                {
                    "name": HF_SPLITS[split],
                    "num_bytes": sum(shard.bytes for shard in manifest.of_split(split)),
                    "num_examples": manifest.samples(split),
                }
                for split in present
            ],
        },
    }


def _splits_table(manifest: Manifest) -> str:
    return "\n".join(
        f"| {split} | {manifest.videos.get(split, 0)} | {manifest.samples(split)} | {len(manifest.of_split(split))} |"
        for split in SPLITS
    )


def _of_videos(rows: Sequence[Mapping[str, Any]], field: str) -> Iterable[str]:
    """A field's value of each video, once."""
    return {row["video_id"]: row[field] for row in rows}.values()


def _span(dates: Iterable[str]) -> str:
    known = sorted({_plain(date) for date in dates} - {""})
    return f"{known[0]} to {known[-1]}" if known else "unknown"


def _figures(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line of a table for what can be measured in every pair."""
    measured = {
        "words of a caption, parted by blanks": [float(len(row["caption"].split())) for row in rows],
        "seconds of its speech": [row["speech_end"] - row["speech_start"] for row in rows],
        "seconds of its scene": [row["scene_end"] - row["scene_start"] for row in rows],
        "pixels of the picture's width": [float(row["width"]) for row in rows],
    }
    return "\n".join(f"| {name} | {_quantiles(values)} |" for name, values in measured.items())


def _quantiles(values: Sequence[float]) -> str:
    ordered = sorted(values) or [0.0]
    return " | ".join(f"{ordered[round(share * (len(ordered) - 1))]:.4g}" for share in (0.05, 0.5, 0.95))


def _brace_pattern(manifest: Manifest, split: str) -> str:
    """`train-{00000..00007}.tar`: shards of one split are numbered without a gap."""
    names = [shard.name.removesuffix(".tar").rpartition("-")[2] for shard in manifest.of_split(split)]
    if not names:
        return f"{split}-*.tar"
    return f"{split}-{{{names[0]}..{names[-1]}}}.tar" if len(names) > 1 else f"{split}-{names[0]}.tar"


def _counts(values: Iterable[str], most: int = 20) -> str:
    return _lines(dict(Counter(value or "unknown" for value in values).most_common(most)))


def _lines(counts: Mapping[str, int]) -> str:
    return "\n".join(f"- `{_plain(name)}`: {count}" for name, count in counts.items()) or "- none"


def _plain(text: str) -> str:
    """A stranger's text for one Markdown code span: printable, on one line, without a backtick."""
    return "".join(sign for sign in text if sign.isprintable() and sign != "`")[:80]
