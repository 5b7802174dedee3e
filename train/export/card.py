"""The model card, README.md of an export: front matter for the hub, then what a stranger must know.

It tells of the training set what the checkpoint knows: its digest, and, where the set still lies where it lay, its
counts, languages and licences. No path of the machine that trained is in it.
"""

import json
import logging
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from shards.errors import ShardsError
from shards.manifest import Manifest
from shards.side_files import rows_path
from train.state import SetState
from train.trained import Trained

logger = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("card_template.md")
SCORES_NAME = "scores.json"
MOST_LICENCES = 20
FIT = {"crop": "its centre, the rest is cut away", "squeeze": "all of it, squeezed"}


def render(trained: Trained, *, library: str, usage: str) -> str:
    """The whole card; `usage` is Python, and `library` what the hub calls the one that loads the files."""
    config, state = trained.config, trained.checkpoint.state
    sets = [(each, _manifest(each)) for each in state.sets]
    languages = {name for each, manifest in sets if manifest for name in _stated(Path(each.path), manifest, "language")}
    front: dict[str, object] = {
        "library_name": library,
        "pipeline_tag": "feature-extraction",
        "tags": ["vision-and-language", "image-text-retrieval", "masked-modeling", "harvest-train"],
    }
    if spoken := languages - {"unknown"}:
        front["language"] = sorted(spoken)
    body = TEMPLATE.read_text(encoding="utf-8").format(
        title=_title(trained),
        parameters=f"{sum(parameter.numel() for parameter in trained.model.parameters()):,}",
        geometry=_geometry(trained),
        usage=f"```python\n{usage}\n```",
        sets="\n".join(_about(each, manifest) for each, manifest in sets),
        step=f"{state.step:,}",
        rows=config.data.batch_size,
        learnt=_learnt(trained),
        scores=_scores(trained),
        text_length=config.data.text_length,
        image_size=config.data.image_size,
        fit=FIT[config.data.fit],
        version=version("harvest-train"),
        settings=yaml.safe_dump(_without_paths(config.model_dump(mode="json")), sort_keys=False).strip(),
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{body}"


def _without_paths(value: Any) -> Any:
    """Settings with the last part only of what names a file or folder on the machine that trained."""
    if isinstance(value, dict):
        return {name: _without_paths(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    # A name on the hub has a slash, too, and stays.
    if isinstance(value, str) and "/" in value and (value.startswith((".", "~", "/")) or Path(value).exists()):
        return Path(value).name
    return value


def _title(trained: Trained) -> str:
    return f"{trained.run.absolute().name}, step {trained.checkpoint.state.step}"


def _geometry(trained: Trained) -> str:
    config = trained.config.model
    facts = {
        "width": config.width,
        "blocks": config.depth,
        "heads": config.heads,
        "patches": f"{config.patch} pixels square",
        "pieces": f"{trained.tokenizer.vocabulary:,}",
        "shared space": f"{config.shared_width} numbers",
    }
    rows = (f"| {name} | {value} |" for name, value in facts.items())
    return "\n".join(["| | |", "|---|---|", *rows])


def _manifest(each: SetState) -> Manifest | None:
    """Of the very set that was read; None where it is gone or has changed."""
    try:
        manifest = Manifest.load(Path(each.path))
    except (ShardsError, OSError):
        return None
    return manifest if manifest.digest == each.digest else None


def _about(each: SetState, manifest: Manifest | None) -> str:
    if manifest is None:
        return f"- the set with the digest `{each.digest}`, which was no longer at hand when this card was written"
    videos = manifest.videos.get("train", 0)
    origin = f" from {videos:,} videos" if videos else ""
    told = (
        f"- {manifest.samples('train'):,} samples{origin}: the train split of the set with the digest `{each.digest}`"
    )
    licences = _stated(Path(each.path), manifest, "license")
    counts = (f"`{name}` ({count:,})" for name, count in licences.most_common(MOST_LICENCES))
    return f"{told}. Licences as stated by the uploaders (samples): {', '.join(counts) or 'none'}"


def _stated(folder: Path, manifest: Manifest, column: str) -> Counter[str]:
    """How often the rows of the train split state what. They are strangers' words: printable, short, no backtick."""
    found: Counter[str] = Counter()
    for entry in manifest.of_split("train"):
        path = rows_path(folder, entry)
        if path.is_file():
            found.update(pq.read_table(path, columns=[column]).column(column).to_pylist())
    plain: Counter[str] = Counter()
    for name, count in found.items():
        plain["".join(sign for sign in name if sign.isprintable() and sign != "`")[:80] or "unknown"] += count
    return plain


def _learnt(trained: Trained) -> str:
    if trained.learnt.shared:
        return "Images and texts were contrasted, so that each can be embedded alone and compared."
    return "Images and texts were never contrasted: it has no embeddings of either alone that could be compared."


def _scores(trained: Trained) -> str:
    path = trained.run / SCORES_NAME
    try:
        scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lines = [f"| {name} | {value:.3f} |" for name, value in scores.items() if isinstance(value, float)]
        told = f"Retrieval on the {scores['split']} split of the set `{scores['shards_digest']}`, "
        told += f"{scores['candidates']} candidates, at step {scores['step']}. `chance` is a random order's."
    except FileNotFoundError:
        return "It was not evaluated before it was exported."
    except (OSError, ValueError, KeyError, AttributeError) as error:
        logger.warning("The card leaves out %s, which holds no scores of retrieval: %s.", path, error)
        return "It was not evaluated before it was exported."
    return "\n".join([told, "", "| measure | value |", "|---|---|", *lines])
